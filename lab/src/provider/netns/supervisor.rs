//! The supervisor: process 1 of the lab.
//!
//! It is started in two steps, because a process that makes a PID namespace does not enter it:
//! [`hold`] makes the namespaces and starts [`supervise`] as process 1 in them, says its number,
//! and ends.

use super::{
    namespaces, network,
    protocol::{Request, Response},
};
use crate::{process, provider::vagrant, spec::LabSpec};
use anyhow::{Context, Result, bail};
use camino::Utf8Path;
use rustix::{
    fd::OwnedFd,
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg},
    process::{Pid, Signal, WaitOptions, WaitStatus, kill_process_group, wait},
};
use std::{
    cell::RefCell,
    collections::HashMap,
    fs,
    io::{IoSliceMut, Read},
    mem::MaybeUninit,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    rc::Rc,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Interest},
    net::{UnixListener, UnixStream},
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    task::LocalSet,
};

/// First argument of the process that becomes [`hold`].
pub const HOLD_ARGUMENT: &str = "__hold";
/// First argument of the process that becomes [`supervise`].
pub const SUPERVISE_ARGUMENT: &str = "__supervise";

/// The resolved lab file, in the lab's state folder.
pub(super) const SPEC_FILE: &str = "lab.json";
/// The supervisor's socket, in the lab's state folder.
pub(in crate::provider) const SOCKET_FILE: &str = "supervisor.sock";

/// Makes the namespaces, starts [`supervise`] in them and prints `pid N`.
///
/// # Errors
/// When the system forbids it.
pub fn hold(arguments: &[String]) -> Result<()> {
    // A Ctrl-C at the terminal is for the command, not for the lab it brought up.
    rustix::process::setsid().context("failed to leave the terminal's session")?;
    namespaces::isolate()?;
    let program = std::env::current_exe().context("failed to find this program's own file")?;
    #[expect(clippy::disallowed_methods, reason = "process 1 of the namespaces just made")]
    let child = Command::new(program)
        .arg(SUPERVISE_ARGUMENT)
        .args(arguments)
        .spawn()
        .context("failed to start process 1 of the lab")?;
    println!("pid {}", child.id());
    Ok(())
}

/// Brings up the networks, prints `ready`, and serves until the lab is to end.
/// `arguments`: the state folder, and whether the lab ends with its stdin (`ephemeral`) or not;
/// or that it is a libvirt of a lab's own.
///
/// # Errors
/// When the lab cannot be brought up.
pub fn supervise(arguments: &[String]) -> Result<()> {
    let [folder, lifetime] = arguments else {
        bail!("usage: {SUPERVISE_ARGUMENT} FOLDER LIFETIME")
    };
    let folder = Utf8Path::new(folder);
    if lifetime == vagrant::LIBVIRT {
        return vagrant::supervise_libvirt(folder);
    }
    let spec: LabSpec = serde_json::from_slice(&fs::read(folder.join(SPEC_FILE))?)?;
    namespaces::settle_mounts()?;
    let nodes = bring_up(&spec)?;
    if lifetime == "ephemeral" {
        // Process 1 ends when whoever brought the lab up has gone, whatever happened to it.
        std::thread::spawn(|| {
            let _end_or_error = std::io::stdin().read(&mut [0]);
            std::process::exit(0);
        });
    }
    serve(folder, nodes)
}

/// Serves requests for processes in these network namespaces, and never ends by itself.
///
/// # Errors
/// When the socket cannot be made.
pub(in crate::provider) fn serve(folder: &Utf8Path, nodes: HashMap<String, OwnedFd>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, answer_all(folder, nodes))
}

fn bring_up(spec: &LabSpec) -> Result<HashMap<String, OwnedFd>> {
    namespaces::without_ipv6();
    let home = namespaces::current_network()?;
    batch("ip", &home, &network::switches(spec))?.finish("failed to make the lab's switches")?;
    // All namespaces before any link: the nodes' links go to where process 1 is, which is
    // elsewhere while it makes a namespace.
    let namespaces: Vec<OwnedFd> =
        spec.nodes.iter().map(|_| namespaces::new_network(&home)).collect::<Result<_>>()?;
    let mut batches = Vec::new();
    for (index, namespace) in namespaces.iter().enumerate() {
        batches.push(batch("ip", namespace, &network::node(spec, index))?);
    }
    for (name, batch) in spec.nodes.iter().zip(batches) {
        batch.finish(&format!("failed to make the network of {name}"))?;
    }
    let nodes: HashMap<String, OwnedFd> = spec.nodes.iter().cloned().zip(namespaces).collect();
    let shaping = network::shaping(spec);
    if !shaping.is_empty() {
        for (name, namespace) in &nodes {
            let batch = batch("tc", namespace, &shaping)?;
            batch.finish(&format!("failed to shape the links of {name}"))?;
        }
    }
    batch("ip", &home, &network::ports(spec.nodes.len()))?.finish("failed to join the nodes")?;
    Ok(nodes)
}

struct Batch(Child);

/// Starts `ip -batch` or `tc -batch` in a network namespace.
fn batch(program: &str, namespace: &OwnedFd, commands: &str) -> Result<Batch> {
    let (reader, writer) = std::io::pipe()?;
    // Far below a pipe's capacity, so this cannot block.
    std::io::Write::write_all(&mut &writer, commands.as_bytes())?;
    drop(writer);
    let argv = [program, "-batch", "-"].map(str::to_owned);
    let child = start(namespace, &argv, None, [reader.into(), Stdio::null(), Stdio::piped()])?;
    Ok(Batch(child))
}

impl Batch {
    fn finish(self, what: &str) -> Result<()> {
        let output = self.0.wait_with_output()?;
        if output.status.success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let hint = if words.contains("tun") || words.starts_with("open:") {
            "\nhint: /dev/net/tun must be open to this user (see `cargo xtask setup`)"
        } else {
            ""
        };
        bail!("{what}: {words}{hint}")
    }
}

/// Starts a process in a network namespace, in a process group of its own.
#[expect(clippy::disallowed_methods, reason = "every process of the lab is started here")]
#[expect(unsafe_code, reason = "a child must enter its network namespace between fork and exec")]
pub(in crate::provider) fn start(
    namespace: &OwnedFd,
    argv: &[String],
    cwd: Option<&str>,
    stdio: [Stdio; 3],
) -> Result<Child> {
    let (program, arguments) = argv.split_first().context("an empty command")?;
    // An ordinary user's PATH has no `tc`, which needs no privilege of the host in here.
    let found = if program.contains('/') { Some(program.into()) } else { process::find(program) };
    let found = found.with_context(|| format!("`{program}` was not found"))?;
    let namespace = namespace.try_clone()?;
    let [stdin, stdout, stderr] = stdio;
    let mut command = Command::new(found);
    command.args(arguments).stdin(stdin).stdout(stdout).stderr(stderr).process_group(0);
    if let Some(cwd) = cwd {
        command.current_dir(cwd);
    }
    // SAFETY: setns is async-signal-safe, and the closure allocates nothing.
    unsafe {
        command.pre_exec(move || namespaces::enter_network(&namespace).map_err(Into::into));
    }
    command.spawn().with_context(|| format!("failed to start `{program}`"))
}

#[derive(Default)]
struct Children(HashMap<i32, oneshot::Sender<WaitStatus>>);

async fn answer_all(folder: &Utf8Path, nodes: HashMap<String, OwnedFd>) -> Result<()> {
    let listener = UnixListener::bind(folder.join(SOCKET_FILE))
        .context("failed to make the supervisor's socket")?;
    let children = Rc::new(RefCell::new(Children::default()));
    let nodes = Rc::new(nodes);
    let mut child_ended = signal(SignalKind::child())?;
    let mut terminate = signal(SignalKind::terminate())?;
    println!("ready");
    loop {
        tokio::select! {
            connection = listener.accept() => {
                let (connection, _) = connection?;
                let (nodes, children) = (Rc::clone(&nodes), Rc::clone(&children));
                // A client that breaks off must not end the lab.
                tokio::task::spawn_local(async move {
                    let _client_gone = converse(connection, &nodes, &children).await;
                });
            }
            _ = child_ended.recv() => reap(&children),
            _ = terminate.recv() => return Ok(()),
        }
    }
}

/// Collects every child that has ended, our own and the orphans that process 1 inherits.
fn reap(children: &RefCell<Children>) {
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if let Some(waiting) = children.borrow_mut().0.remove(&pid.as_raw_nonzero().get()) {
            let _nobody_waits = waiting.send(status);
        }
    }
}

async fn converse(
    connection: UnixStream,
    nodes: &HashMap<String, OwnedFd>,
    children: &RefCell<Children>,
) -> Result<()> {
    let (request, descriptors) = receive(&connection).await?;
    let mut connection = BufReader::new(connection);
    match request {
        Request::Exec { node, argv, cwd } => {
            let started = exec(nodes, &node, &argv, cwd.as_deref(), descriptors);
            let child = match started {
                Ok(child) => child,
                Err(error) => return refuse(&mut connection, &format!("{error:#}")).await,
            };
            let pid = child.id();
            let (ended_sender, mut ended) = oneshot::channel();
            children.borrow_mut().0.insert(i32::try_from(pid)?, ended_sender);
            answer(&mut connection, &Response::Started { pid }).await?;
            let mut line = String::new();
            let status = tokio::select! {
                status = &mut ended => status?,
                // Whether the client asks for it or is gone: the process goes too.
                _ = connection.read_line(&mut line) => {
                    let group = Pid::from_raw(i32::try_from(pid)?).context("process number 0")?;
                    let _already_gone = kill_process_group(group, Signal::KILL);
                    ended.await?
                }
            };
            let response = match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Response::Exited { code },
                (None, signal) => Response::Signaled { signal: signal.unwrap_or(0) },
            };
            answer(&mut connection, &response).await
        }
        Request::Kill => refuse(&mut connection, "no process was started on this connection").await,
    }
}

fn exec(
    nodes: &HashMap<String, OwnedFd>,
    node: &str,
    argv: &[String],
    cwd: Option<&str>,
    descriptors: Vec<OwnedFd>,
) -> Result<Child> {
    let namespace = nodes.get(node).with_context(|| format!("this lab has no node `{node}`"))?;
    let stdio: [OwnedFd; 3] =
        descriptors.try_into().ok().context("an exec without its three streams")?;
    start(namespace, argv, cwd, stdio.map(Stdio::from))
}

async fn refuse(connection: &mut BufReader<UnixStream>, reason: &str) -> Result<()> {
    answer(connection, &Response::Refused { reason: reason.to_owned() }).await
}

async fn answer(connection: &mut BufReader<UnixStream>, response: &Response) -> Result<()> {
    let mut line = serde_json::to_vec(response)?;
    line.push(b'\n');
    connection.get_mut().write_all(&line).await.context("failed to answer")
}

/// Reads the first line of a connection, and the descriptors that came with it.
async fn receive(connection: &UnixStream) -> Result<(Request, Vec<OwnedFd>)> {
    let (mut text, mut descriptors) = (Vec::new(), Vec::new());
    while text.last() != Some(&b'\n') {
        connection.readable().await?;
        let mut buffer = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = connection.try_io(Interest::READABLE, || {
            let mut parts = [IoSliceMut::new(&mut buffer)];
            recvmsg(connection, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
                .map_err(Into::into)
        });
        let length = match received {
            Ok(message) => message.bytes,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error.into()),
        };
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        if length == 0 {
            bail!("a client left before it asked");
        }
        text.extend_from_slice(&buffer[..length]);
    }
    Ok((serde_json::from_slice(&text)?, descriptors))
}
