//! Starting processes on this machine: the only module that does.
//!
//! A [`Command`] is data until it is run, so that it can be shown first (`setup` prints every line
//! before it acts). Errors name the program, how it ended and its last words; values that were
//! given as secrets appear in none of them.

mod conversation;
mod error;
mod quote;
mod wait;

pub use conversation::{Conversation, Ending};
pub use error::{Error, LastWords};
pub use quote::{quote, quote_all};

use std::{
    ffi::{OsStr, OsString},
    fmt, io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

/// Where administrators' programs lie: an ordinary user's PATH on Debian has none of these,
/// yet `tc` is only there and needs no privilege of the host inside a namespace.
const ADMIN_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// A program with its arguments, environment and folder, not yet started.
#[derive(Clone)]
pub struct Command {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<Variable>,
    cwd: Option<PathBuf>,
    stdin: Option<Vec<u8>>,
    timeout: Option<Duration>,
    stdout_to_stderr: bool,
    accepted: Option<i32>,
    tied: bool,
}

#[derive(Clone)]
struct Variable {
    name: OsString,
    /// `None` removes the variable from what is inherited.
    value: Option<OsString>,
    secret: bool,
}

impl Command {
    /// A command for `program`: a path, or a name that is looked up as [`find`] does.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            stdin: None,
            timeout: None,
            stdout_to_stderr: false,
            accepted: None,
            tied: false,
        }
    }

    /// Adds one argument. Not for secrets: everybody on the machine can read arguments.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable, which is shown with the command.
    #[must_use]
    pub fn env(self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variable(name.into(), Some(value.into()), false)
    }

    /// Sets an environment variable whose value is shown nowhere, and is struck out of what the
    /// program writes to stderr before that is put into an error.
    #[must_use]
    pub fn secret_env(self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variable(name.into(), Some(value.into()), true)
    }

    /// Takes an environment variable away.
    #[must_use]
    pub fn env_remove(self, name: impl Into<OsString>) -> Self {
        self.variable(name.into(), None, false)
    }

    fn variable(mut self, name: OsString, value: Option<OsString>, secret: bool) -> Self {
        self.env.retain(|variable| variable.name != name);
        self.env.push(Variable { name, value, secret });
        self
    }

    /// Runs it in this folder.
    #[must_use]
    pub fn cwd(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cwd = Some(folder.into());
        self
    }

    /// Gives it these bytes to read; without them it reads an empty stdin.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Kills it when it takes longer than this; without one it may take for ever.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Lets [`run_streaming`](Self::run_streaming) send its stdout to our stderr, where ours is
    /// for data only.
    #[must_use]
    pub fn stdout_to_stderr(mut self) -> Self {
        self.stdout_to_stderr = true;
        self
    }

    /// For [`output_to`](Self::output_to): the program leads a process group of its own, and its
    /// stdin is a pipe that nothing is written to and that ends when nobody waits for the program
    /// any more, however we end. One that starts others can so see to their end, too.
    #[must_use]
    pub const fn tied(mut self) -> Self {
        self.tied = true;
        self
    }

    /// The program as it was given.
    #[must_use]
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// The command as one line that a shell would run alike; secrets as `***`.
    #[must_use]
    pub fn display(&self) -> String {
        let mut words = Vec::new();
        if let Some(folder) = &self.cwd {
            words.push(format!("cd {} &&", quote(&folder.to_string_lossy())));
        }
        // `env` wants what it takes away before what it sets.
        let removed = || self.env.iter().filter(|variable| variable.value.is_none());
        if removed().next().is_some() {
            words.push("env".to_owned());
            words.extend(removed().map(|v| format!("-u {}", quote(&v.name.to_string_lossy()))));
        }
        for Variable { name, value, secret } in &self.env {
            let Some(value) = value else { continue };
            let value = if *secret { "'***'".to_owned() } else { quote(&value.to_string_lossy()) };
            words.push(format!("{}={value}", name.to_string_lossy()));
        }
        words.push(quote(&self.program.to_string_lossy()));
        words.extend(self.args.iter().map(|arg| quote(&arg.to_string_lossy())));
        words.join(" ")
    }

    /// Takes this exit code, besides 0, for a good end.
    #[must_use]
    pub const fn accept_exit(mut self, code: i32) -> Self {
        self.accepted = Some(code);
        self
    }

    /// Runs it to its end and returns what it wrote. Blocks.
    ///
    /// # Errors
    /// When it cannot be started, ends with anything but status 0, or takes longer than its
    /// timeout.
    pub fn run(&self) -> Result<Output, Error> {
        let child = self.piped()?.spawn().map_err(|e| self.not_started(e))?;
        let ended = wait::blocking(child, self.stdin.clone(), self.timeout);
        self.judge(ended)
    }

    /// Runs it to its end with our own stdin, stdout and stderr: for long work that a person
    /// watches. Blocks; the timeout is not applied.
    ///
    /// # Errors
    /// When it cannot be started, or ends with anything but status 0.
    pub fn run_streaming(&self) -> Result<(), Error> {
        let mut command = self.build()?;
        if self.stdout_to_stderr {
            command.stdout(io::stderr());
        }
        let status = command.status().map_err(|e| self.not_started(e))?;
        if status.success() {
            return Ok(());
        }
        Err(Error::Failed { command: self.display(), status, last_words: LastWords::default() })
    }

    /// As [`run`](Self::run), without blocking. Dropping the future kills the program.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn output(&self) -> Result<Output, Error> {
        let mut command = tokio::process::Command::from(self.piped()?);
        let child = command.kill_on_drop(true).spawn().map_err(|e| self.not_started(e))?;
        let ended = wait::asynchronous(child, self.stdin.clone(), self.timeout).await;
        self.judge(ended)
    }

    /// As [`output`](Self::output), with stdout and stderr both going to `stream`; no timeout is
    /// applied.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn output_to(&self, stream: OwnedFd) -> Result<(), Error> {
        let mut command = self.build()?;
        let both = stream.try_clone().map_err(|e| self.not_started(e))?;
        command.stdin(Stdio::null()).stdout(stream).stderr(both);
        if self.tied {
            command.stdin(Stdio::piped()).process_group(0);
        }
        let mut command = tokio::process::Command::from(command);
        let mut child = command.kill_on_drop(true).spawn().map_err(|e| self.not_started(e))?;
        // Waiting would close it.
        let _tie = child.stdin.take();
        // Its streams: whoever reads at the other end waits until nobody has them open.
        drop(command);
        let status = child.wait().await.map_err(|e| self.not_started(e))?;
        self.judge(Ok(wait::Ended { status: Some(status), stdout: Vec::new(), stderr: Vec::new() }))
            .map(drop)
    }

    fn piped(&self) -> Result<std::process::Command, Error> {
        let mut command = self.build()?;
        command
            .stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Ok(command)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the module that starts processes")]
    fn build(&self) -> Result<std::process::Command, Error> {
        let program = if self.program.to_string_lossy().contains('/') {
            PathBuf::from(&self.program)
        } else {
            find(&self.program).ok_or_else(|| self.not_found())?
        };
        let mut command = std::process::Command::new(program);
        command.args(&self.args);
        for Variable { name, value, .. } in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = &self.cwd {
            command.current_dir(folder);
        }
        Ok(command)
    }

    fn judge(&self, ended: io::Result<wait::Ended>) -> Result<Output, Error> {
        let ended = ended.map_err(|e| self.not_started(e))?;
        let words = |stderr: &[u8]| LastWords::new(stderr, &self.secrets());
        match ended.status {
            Some(status)
                if status.success()
                    || (self.accepted.is_some() && status.code() == self.accepted) =>
            {
                Ok(Output { stdout: ended.stdout, stderr: ended.stderr })
            }
            Some(status) => Err(Error::Failed {
                command: self.display(),
                status,
                last_words: words(&ended.stderr),
            }),
            None => Err(Error::TimedOut {
                command: self.display(),
                after: self.timeout.unwrap_or_default(),
                last_words: words(&ended.stderr),
            }),
        }
    }

    fn secrets(&self) -> Vec<String> {
        let secret = self.env.iter().filter(|variable| variable.secret);
        secret.filter_map(|v| Some(v.value.as_ref()?.to_string_lossy().into_owned())).collect()
    }

    fn not_found(&self) -> Error {
        Error::NotFound { program: self.program.to_string_lossy().into_owned() }
    }

    fn not_started(&self, source: io::Error) -> Error {
        let folder = self.cwd.as_deref().filter(|folder| !folder.is_dir());
        match (source.kind(), folder) {
            // The kernel's answer is the same for a missing program and a missing folder.
            (io::ErrorKind::NotFound, Some(folder)) => {
                Error::NoFolder { command: self.display(), folder: folder.to_owned() }
            }
            (io::ErrorKind::NotFound, None) => self.not_found(),
            _ => Error::NotStarted { command: self.display(), reason: source },
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({})", self.display())
    }
}

/// What a program that ended well had written.
#[derive(Clone, PartialEq, Eq)]
pub struct Output {
    /// Its stdout.
    pub stdout: Vec<u8>,
    /// Its stderr.
    pub stderr: Vec<u8>,
}

impl fmt::Debug for Output {
    /// Sizes only: what a program prints may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Output(stdout {} B, stderr {} B)", self.stdout.len(), self.stderr.len())
    }
}

impl Output {
    /// Its stdout as text; bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// Looks a program up by name in PATH, then in the administrators' folders.
pub fn find(name: impl AsRef<OsStr>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(ADMIN_FOLDERS.map(PathBuf::from));
    folders.map(|folder| folder.join(name.as_ref())).find(|file| is_executable(file))
}

/// Whether this user may execute the file.
#[must_use]
pub fn is_executable(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests;
