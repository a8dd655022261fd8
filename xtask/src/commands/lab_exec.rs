//! `lab-exec`: runs a command on a node, as if it were run here.

use crate::{
    cli::LabExecArgs,
    color::ColorChoice,
    exit::{self, Exit, Failure},
    files,
};
use anyhow::{Context, anyhow};
use camino::Utf8PathBuf;
use lab::{
    RunningLab,
    node::{self, Node, Process, Spawn, Stream, Streams},
    process, running,
    spec::LabSpec,
};
use rustix::fd::AsFd;
use tokio::signal::unix::{SignalKind, signal};

/// There is no such program, as a shell says it.
const NOT_FOUND: u8 = 127;
/// There is, but it cannot be run.
const NOT_RUNNABLE: u8 = 126;

/// Runs the command.
///
/// # Errors
/// For a lab that is not up, a node it does not have, and a command that does not end with 0.
pub fn run(args: &LabExecArgs, colors: ColorChoice) -> exit::Result {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let lab = runtime.block_on(up(args, colors))?;
    let node = find_node(&lab, &args.node)?;
    let argv = arguments(args)?;
    let here = std::env::current_dir().context("failed to find the working directory")?;
    let here = Utf8PathBuf::try_from(here).context("a working directory with an odd path")?;
    let streams = Streams {
        stdin: duplicate(std::io::stdin())?,
        stdout: duplicate(std::io::stdout())?,
        stderr: duplicate(std::io::stderr())?,
    };
    // Another machine has no such folder: there, the command runs in the user's home.
    let cwd = node.is_this_machine().then(|| here.into_string());
    let spawn = Spawn { argv, cwd, streams };
    let ended = runtime.block_on(async {
        let program = spawn.argv.first().cloned().unwrap_or_default();
        let process = match node.spawn(spawn).await {
            Ok(process) => process,
            Err(error) if lab.is_alive().await => {
                let code = if node.is_this_machine() { why_not(&program) } else { NOT_FOUND };
                return Err(Failure::new(Exit::Command(code), error));
            }
            Err(error) => return Err(Failure::new(Exit::Lab, error)),
        };
        follow(process).await
    })?;
    match ended {
        node::Exit::Code(0) => Ok(()),
        node::Exit::Code(code) => {
            Err(Failure::shown(Exit::Command(u8::try_from(code).unwrap_or(u8::MAX))))
        }
        node::Exit::Signal(signal) => {
            let code = u8::try_from(signal).unwrap_or(0).saturating_add(128);
            Err(Failure::shown(Exit::Command(code)))
        }
        node::Exit::LabLost => {
            let text = format!("the lab `{}` went down, and the command with it", lab.spec.name);
            Err(Failure::new(Exit::Lab, anyhow!(text)))
        }
        node::Exit::NodeLost => {
            let text = format!("the connection to {} is lost, and the command with it", node.name);
            Err(Failure::new(Exit::Lab, anyhow!(text)))
        }
    }
}

/// The lab that is up under the name that the lab's file gives.
async fn up(args: &LabExecArgs, colors: ColorChoice) -> exit::Result<RunningLab> {
    let spec = files::checked(LabSpec::read(&args.lab.lab), colors, false)?;
    let found = running::find(&spec).await.map_err(|error| Failure::new(Exit::Lab, error))?;
    found.ok_or_else(|| {
        let file = &args.lab.lab;
        let text = format!(
            "the lab `{}` is not up\n\nhint: `cargo xtask lab-up --lab {file}` brings it up",
            spec.name
        );
        Failure::new(Exit::Lab, anyhow!(text))
    })
}

fn find_node<'a>(lab: &'a RunningLab, name: &str) -> exit::Result<&'a Node> {
    lab.nodes.iter().find(|node| node.name == name).ok_or_else(|| {
        let nodes: Vec<&str> = lab.nodes.iter().map(|node| node.name.as_str()).collect();
        let text = format!(
            "the lab `{}` has no node `{name}`\n\nhint: its nodes are {}",
            lab.spec.name,
            nodes.join(", ")
        );
        Failure::new(Exit::InvalidInput, anyhow!(text))
    })
}

fn arguments(args: &LabExecArgs) -> exit::Result<Vec<String>> {
    let text = |argument: &std::ffi::OsString| {
        argument.to_str().map(str::to_owned).ok_or_else(|| {
            let text = format!("the argument {} is not UTF-8", argument.display());
            Failure::new(Exit::InvalidInput, anyhow!(text))
        })
    };
    args.command.iter().map(text).collect()
}

/// One of our own streams, for the command.
fn duplicate(stream: impl AsFd) -> anyhow::Result<Stream> {
    let copy = stream.as_fd().try_clone_to_owned().context("failed to pass a stream on")?;
    Ok(Stream::Of(copy))
}

/// Waits for the end. The command is in another session, so the terminal's Ctrl-C does not reach
/// it: we end it.
async fn follow(mut process: Process) -> exit::Result<node::Exit> {
    let mut ctrl_c = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        ended = process.wait() => return Ok(ended),
        _ = ctrl_c.recv() => {}
        _ = terminate.recv() => {}
    }
    process.kill();
    process.wait().await;
    Err(Failure::shown(Exit::Interrupted))
}

/// The exit code of a shell that could not start this, on a node that shares our file system.
fn why_not(program: &str) -> u8 {
    let there = if program.contains('/') {
        std::path::Path::new(program).exists()
    } else {
        process::find(program).is_some()
    };
    if there { NOT_RUNNABLE } else { NOT_FOUND }
}
