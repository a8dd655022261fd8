//! Starting what a channel is for: a process, or a connection to a socket of this node.

use super::{channel::Channel, descriptor, signals};
use std::{
    env,
    ffi::OsString,
    io,
    net::{Ipv4Addr, TcpStream},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use wire::frame::Spawn;

/// Where administrators' programs lie; what SSH and sudo give as PATH may lack them.
const ADMIN_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Starts a process in a session of its own, which ends when the agent does.
#[expect(clippy::disallowed_methods, reason = "the agent starts every process of its node here")]
#[expect(unsafe_code, reason = "a child must leave our session between fork and exec")]
pub fn start(wanted: &Spawn<'_>) -> Result<Channel, String> {
    let mut argv = wanted.argv.iter();
    let program = argv.next().ok_or("an empty command")?;
    if !wanted.cwd.is_empty() && !Path::new(wanted.cwd).is_dir() {
        return Err(format!("there is no folder `{}`", wanted.cwd));
    }
    let stdio = |index: usize| if wanted.carried[index] { Stdio::piped() } else { Stdio::null() };
    let mut command = Command::new(program);
    command.args(argv).env("PATH", path()).stdin(stdio(0)).stdout(stdio(1)).stderr(stdio(2));
    for variable in wanted.env.iter() {
        let (name, value) = variable.split_once('=').ok_or("a variable without a value")?;
        command.env(name, value);
    }
    if !wanted.cwd.is_empty() {
        command.current_dir(wanted.cwd);
    }
    let agent = std::process::id();
    // SAFETY: everything the closure calls is async-signal-safe, and it allocates nothing.
    unsafe {
        command.pre_exec(move || leave(agent));
    }
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("`{program}` was not found"),
        _ => format!("failed to start `{program}`: {error}"),
    })?;
    let stdin = child.stdin.take().map(OwnedFd::from);
    let outputs = [child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from)];
    for pipe in stdin.iter().chain(outputs.iter().flatten()) {
        descriptor::set_nonblocking(pipe.as_raw_fd()).map_err(|error| error.to_string())?;
    }
    let pid = i32::try_from(child.id()).map_err(|error| error.to_string())?;
    // It is waited for by `reap`, with the orphans.
    Ok(Channel::process(pid, stdin, outputs))
}

/// What a child does before it becomes the program.
#[expect(unsafe_code, reason = "std has no binding for setsid and prctl")]
fn leave(agent: u32) -> io::Result<()> {
    // SAFETY: none of these calls touches memory.
    unsafe {
        if libc::setsid() < 0 || libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) < 0 {
            return Err(io::Error::last_os_error());
        }
        // The agent may have ended before we asked.
        if u32::try_from(libc::getppid()) != Ok(agent) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
    }
    signals::unblock()
}

/// Connects to a unix socket of this node by its path, or to a TCP port of its loopback, `:PORT`.
pub fn connect(to: &str) -> Result<Channel, String> {
    let connected = match to.strip_prefix(':') {
        Some(port) => connect_port(port),
        None => connect_path(to),
    };
    match connected {
        Ok((input, output)) => Ok(Channel::connection(input, output)),
        Err(error) => Err(format!("failed to connect to {to}: {error}")),
    }
}

fn connect_path(path: &str) -> io::Result<(OwnedFd, OwnedFd)> {
    let socket = UnixStream::connect(path)?;
    socket.set_nonblocking(true)?;
    Ok((OwnedFd::from(socket.try_clone()?), OwnedFd::from(socket)))
}

/// On the loopback somebody listens or nobody does: no connection is waited for.
fn connect_port(port: &str) -> io::Result<(OwnedFd, OwnedFd)> {
    let port: u16 = port.parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_nodelay(true)?;
    socket.set_nonblocking(true)?;
    Ok((OwnedFd::from(socket.try_clone()?), OwnedFd::from(socket)))
}

/// PATH with the administrators' folders at its end.
fn path() -> OsString {
    let path = env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    let folders = env::split_paths(&path).chain(ADMIN_FOLDERS.map(PathBuf::from));
    env::join_paths(folders).unwrap_or(path)
}
