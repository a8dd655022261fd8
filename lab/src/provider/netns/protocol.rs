//! What is said on the supervisor's socket: one JSON line each way at a time.
//!
//! A connection carries one request. An `exec` carries its three standard streams as passed
//! file descriptors with the first byte, and lasts as long as its process does; a client that
//! goes away takes its process along.

use serde::{Deserialize, Serialize};

/// What a client asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Start a process on a node.
    Exec {
        /// The node's name.
        node: String,
        /// Program and arguments.
        argv: Vec<String>,
        /// Working directory; the supervisor's own when left out.
        cwd: Option<String>,
    },
    /// Kill the process that this connection started.
    Kill,
}

/// What the supervisor answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Response {
    /// The process runs.
    Started {
        /// Its number inside the lab's PID namespace.
        pid: u32,
    },
    /// The process ended by itself.
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// The process was ended by a signal.
    Signaled {
        /// The signal's number.
        signal: i32,
    },
    /// What was asked is not done.
    Refused {
        /// Why.
        reason: String,
    },
}
