//! `lab-status`: whether a lab is up, its nodes and links, what runs on them, and what other labs
//! and leftovers there are. Changes nothing.

mod machines;
mod shaping;
mod text;

use crate::{
    cli::LabStatusArgs,
    color::ColorChoice,
    exit::{self, Exit, Failure},
    files, show,
};
use camino::Utf8PathBuf;
use jiff::Timestamp;
use lab::{
    RunningLab,
    node::Node,
    provider::{
        hosts::{self, Looked},
        netns::{self, Labs, UpLab},
    },
    running,
    spec::{LabSpec, Provider},
};
use machines::{Declared, Machine, Unreachable};
use serde::Serialize;
use shaping::Shaping;
use std::net::Ipv4Addr;

/// Everything that is told.
#[derive(Serialize)]
struct Status {
    lab: String,
    up: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
    /// The machines of a lab that is not up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    machines: Vec<Declared>,
    other_labs: Vec<Other>,
    leftovers: Vec<Utf8PathBuf>,
}

/// A lab that is up.
#[derive(Serialize)]
struct Details {
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supervisor_pid: Option<u32>,
    as_its_file_says: bool,
    folder: Utf8PathBuf,
    nodes: Vec<NodeStatus>,
    /// Nodes that cannot be looked at now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreachable: Vec<Unreachable>,
}

#[derive(Serialize)]
struct NodeStatus {
    name: String,
    guest_address: Ipv4Addr,
    guest_device: String,
    migration_address: Ipv4Addr,
    migration_device: String,
    tap: String,
    shaping: Vec<Shaping>,
    /// What it is, where it is another machine than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    machine: Option<Machine>,
    /// What the lab runs there; not known of other machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    processes: Option<Vec<Running>>,
}

#[derive(Serialize)]
struct Running {
    pid: u32,
    argv: Vec<String>,
}

/// A lab besides the one that was asked for.
#[derive(Serialize)]
struct Other {
    lab: String,
    /// The command that it belongs to; none for one of `lab-up`.
    command_pid: Option<u32>,
    supervisor_pid: u32,
    since: Timestamp,
}

/// Runs the command. A lab that is not up is an answer, not an error.
///
/// # Errors
/// For what is wrong with the lab's file, and when a lab that is up cannot be looked at.
pub fn run(args: &LabStatusArgs, colors: ColorChoice) -> exit::Result {
    let spec = files::checked(LabSpec::read(&args.lab.lab), colors, args.json)?;
    let lab_failure = |error: anyhow::Error| Failure::new(Exit::Lab, error);
    let labs = netns::labs().map_err(lab_failure)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let status = runtime.block_on(status(&spec, labs)).map_err(lab_failure)?;
    if args.json {
        show::print(&format!("{}\n", serde_json::to_string_pretty(&status)?));
    } else {
        show::print(&text::render(&status, &args.lab.lab, colors));
    }
    Ok(())
}

async fn status(spec: &LabSpec, labs: Labs) -> anyhow::Result<Status> {
    let (mut details, mut other_labs) = (None, Vec::new());
    for up in labs.up {
        if up.command.is_none() && up.lab.spec.name == spec.name && spec.provider == Provider::Netns
        {
            details = Some(look(spec, &up).await?);
        } else {
            other_labs.push(Other {
                lab: up.lab.spec.name.clone(),
                command_pid: up.command,
                supervisor_pid: up.supervisor,
                since: second(up.since)?,
            });
        }
    }
    let mut declared = Vec::new();
    match spec.provider {
        Provider::Netns => {}
        Provider::Vagrant => {
            if let Some(RunningLab { spec: made_from, folder, nodes, .. }) =
                running::find(spec).await?
            {
                let nodes = nodes.into_iter().map(|node| (node.name.clone(), Ok(node)));
                let as_its_file_says = made_from == *spec;
                details =
                    Some(machines::look(spec, as_its_file_says, folder, nodes.collect()).await);
            }
        }
        Provider::Hosts => match hosts::look(&spec.name).await? {
            Some(Looked { spec: made_from, folder, nodes }) => {
                let as_its_file_says = made_from == *spec;
                details = Some(machines::look(spec, as_its_file_says, folder, nodes).await);
            }
            None => declared = machines::declared(hosts::glance(spec).await?),
        },
    }
    let lab = spec.name.clone();
    let up = details.is_some();
    Ok(Status { lab, up, details, machines: declared, other_labs, leftovers: labs.leftovers })
}

async fn look(spec: &LabSpec, up: &UpLab) -> anyhow::Result<Details> {
    let processes = up.processes().await?;
    let mut nodes = Vec::new();
    for node in &up.lab.nodes {
        let running = processes.iter().filter(|process| process.node == node.name);
        let running = running.map(|it| Running { pid: it.pid, argv: it.argv.clone() }).collect();
        nodes.push(NodeStatus { processes: Some(running), ..node_status(node).await? });
    }
    Ok(Details {
        since: Some(second(up.since)?),
        supervisor_pid: Some(up.supervisor),
        as_its_file_says: up.lab.spec == *spec,
        folder: up.lab.folder.clone(),
        nodes,
        unreachable: Vec::new(),
    })
}

/// What every node has.
async fn node_status(node: &Node) -> anyhow::Result<NodeStatus> {
    Ok(NodeStatus {
        name: node.name.clone(),
        guest_address: node.guest_address,
        guest_device: node.guest_device.clone(),
        migration_address: node.migration_address,
        migration_device: node.migration_device.clone(),
        tap: node.tap.clone(),
        shaping: shaping::of(node).await?,
        machine: None,
        processes: None,
    })
}

/// A moment, to the second.
fn second(time: std::time::SystemTime) -> anyhow::Result<Timestamp> {
    Ok(Timestamp::try_from(time)?.round(jiff::Unit::Second)?)
}
