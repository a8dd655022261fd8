//! The record of a trial: everything known of one migration, one JSON line.

use crate::{experiment::factors, settings::Settings};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the record's layout, the field `schema`.
pub const SCHEMA: u32 = 1;

/// Everything known of one trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// Name of the run, which is its folder's.
    pub run: String,
    /// Position in the plan, from 0; the trial's identity within the run.
    pub trial: u32,
    /// The block, from 0.
    pub block: u32,
    /// Identity of the cell: its varying factors, `touch_rate=5000 pages/s, …`.
    pub cell: String,
    /// When the trial began, UTC.
    pub started: jiff::Timestamp,
    /// Which node did what.
    pub roles: Roles,
    /// What the trial was told to do.
    pub settings: Settings,
    /// The QEMUs at both ends. Absent where only the lab's own takes part in the run: that one is
    /// in the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub programs: Option<Programs>,
    /// What was migrated, where it was no guest that works as the settings say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<OtherGuest>,
    /// The driver's rules: `qemu` (or, later, `proxmox`).
    pub policy: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in words, for every outcome but `completed`; and the cause of a non-convergence.
    pub reason: Option<String>,
    /// Metrics by name; definitions in [`crate::metric`].
    pub metrics: BTreeMap<String, Metric>,
    /// The rounds, in order.
    pub rounds: Vec<Round>,
    /// How the trial spent its own time.
    pub phases: Phases,
    /// Load when the trial began, one-minute average: of this machine where the nodes are on it,
    /// else the highest of the trial's nodes.
    pub host_load: f64,
    /// What was wrong with the lab when the run was begun or resumed, in words
    /// ([`crate::lab_check::LabCheck::faults`]); absent where nothing was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lab_faults: Vec<String>,
    /// How far the clocks of the nodes were from this machine's, around the migration. Absent
    /// where the nodes are this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clocks: Option<Clocks>,
}

/// A guest that does not work as a trial's settings say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OtherGuest {
    /// A VM that somebody has: memory, workload and downtime limit are its own.
    Existing {
        /// Its id.
        vmid: u32,
        /// Its name.
        name: String,
        /// Its memory, bytes, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        memory_bytes: Option<u64>,
    },
    /// One of ours that nobody can tell anything, for its nodes are not reached by SSH: it stands
    /// still. Memory and downtime limit are as the settings say.
    Idle,
}

impl OtherGuest {
    /// Whether its record's settings say what it was by this factor.
    #[must_use]
    pub fn has(&self, factor: &str) -> bool {
        match self {
            Self::Existing { .. } => factors::OF_MIGRATION.contains(&factor),
            Self::Idle => {
                factors::OF_MIGRATION.contains(&factor) || factors::OF_IDLE_GUEST.contains(&factor)
            }
        }
    }

    /// Why nothing is known of its workload.
    #[must_use]
    pub const fn why_unknown(&self) -> &'static str {
        match self {
            Self::Existing { .. } => "it is a VM with a workload of its own",
            Self::Idle => "nobody hears the guest: its nodes are not reached by SSH",
        }
    }
}

/// The clocks of a trial's nodes, held against this machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clocks {
    /// Of the source.
    pub source: NodeClock,
    /// Of the target.
    pub target: NodeClock,
    /// Of the witness.
    pub witness: NodeClock,
}

/// One node's clock, right before and right after the migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeClock {
    /// Before.
    pub before: ClockOffset,
    /// After; none where the node did not answer any more.
    pub after: Option<ClockOffset>,
}

/// How far a wall clock was from this machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockOffset {
    /// The node's wall clock less this machine's, nanoseconds.
    pub offset_ns: i64,
    /// The true offset is at most this far from it, nanoseconds.
    pub error_ns: u64,
}

/// The roles of the three nodes, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles {
    /// Where the guest starts.
    pub source: String,
    /// Where it is migrated to.
    pub target: String,
    /// Where the observer runs.
    pub witness: String,
}

/// The QEMUs at both ends of a migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Programs {
    /// What ran the guest before.
    pub source: Program,
    /// What received it.
    pub target: Program,
    /// The machine type that was pinned, the same in all trials of a run; absent where one QEMU
    /// alone takes part and takes its newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
}

/// A QEMU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// What the experiment calls it.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// SHA-256 of the program, hexadecimal.
    pub sha256: String,
}

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Migrated, and every page verified.
    Completed,
    /// Still dirtying faster than sending at `max_time`; cancelled by the harness, guest verified.
    NotConverged,
    /// Something died or refused; the reason has its own words.
    Failed,
    /// Cancelled by somebody else.
    Cancelled,
    /// The guest is dead or its memory is not what it must be.
    Corrupt,
    /// The gate did not open: the workload did not do what was asked, so nothing was measured.
    Invalid,
}

impl Outcome {
    /// In words, as people read it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::NotConverged => "not converged",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Corrupt => "corrupt",
            Self::Invalid => "invalid",
        }
    }
}

/// A named, defined, united number, or the reason why it is not there. Never a stand-in zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Metric {
    /// Measured.
    Measured(Measured),
    /// Not there, and why.
    Unavailable(String),
}

/// A measured value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// In the unit that [`crate::metric`] defines for this name.
    pub value: f64,
    /// Unit, repeated so that a record can be read alone.
    pub unit: String,
    /// Where the number comes from: `query-migrate`, `qmp events`, `observer`, …
    pub source: String,
    /// Smallest difference this source can show, same unit.
    pub resolution: f64,
    /// The interval in which the true value lies, where the source gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
}

/// One pre-copy round: from one reading of the dirty bitmap to the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// From 1; the pass number of QEMU's `MIGRATION_PASS` event.
    pub number: u32,
    /// Seconds from when `migrate` was asked to the beginning of the round.
    pub start_s: f64,
    /// Seconds until the next round or the end.
    pub duration_s: f64,
    /// Bytes put on the stream in this round, from the samples around it; `None` when no sample
    /// lies near enough.
    pub bytes: Option<u64>,
    /// Dirty bytes left when the round began, as QEMU knew them then.
    pub remaining_bytes: Option<u64>,
    /// Whether this is the last, sent while the guest is stopped.
    pub stopped: bool,
}

/// The trial's own time split, in seconds of the harness's monotonic clock. Their sum is `wall_s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    /// Starting both QEMUs and the observer, until the guest's first heartbeat.
    pub start_s: f64,
    /// Until the guest has filled its memory.
    pub fill_s: f64,
    /// Until the gate is open.
    pub gate_s: f64,
    /// Until the migration has ended and the guest beats again.
    pub migrate_s: f64,
    /// Until the guest is verified.
    pub verify_s: f64,
    /// Until all processes of the trial are gone.
    pub tear_down_s: f64,
    /// The whole trial.
    pub wall_s: f64,
    /// `wall − total time − gate − verify`: what the harness itself adds.
    pub overhead_s: f64,
}
