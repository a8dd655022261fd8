//! Labs of machines that one already has: connected to, and set up where the lab file allows it.

use super::{Keeper, Lifetime, Programs, RunningLab};
use crate::{
    node::Node,
    playbook::{Addresses, BRIDGE, Devices},
    provider::{
        hosts::{self, Begun},
        machines::{self, Links},
    },
    set_up::SetUp,
    spec::{LabSpec, Link},
    ssh::Connection,
};
use anyhow::Result;
use camino::Utf8Path;

/// Brings the lab up; one that is set up may be up already, and is then looked at step by step.
pub(super) async fn up(
    spec: LabSpec,
    lifetime: Lifetime,
    programs: Programs<'_>,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<RunningLab> {
    let begun = hosts::begin(&spec, lifetime, &(programs.observer)()?)?;
    match bring_up(&begun, &spec, programs.templates, tell).await {
        Ok(nodes) => {
            let folder = begun.folder().to_owned();
            Ok(RunningLab { spec, folder, nodes, keeper: Keeper::Hosts(begun.finish()) })
        }
        Err(error) => {
            begun.abandon()?;
            Err(error)
        }
    }
}

async fn bring_up(
    begun: &Begun,
    spec: &LabSpec,
    templates: &Utf8Path,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<Vec<Node>> {
    let connections = begun.connect().await?;
    if connections.is_empty() {
        return Ok(hosts::by_api(spec));
    }
    if !spec.sets_up_hosts() {
        return machines::nodes(spec, connections).await;
    }
    let links = hosts::links_to_set_up(spec, &connections, BRIDGE).await?;
    let (folder, _alone) = begun.set_up_folder()?;
    let devices = devices(&links);
    let set_up = SetUp { spec, devices: &devices, templates, folder: &folder };
    for line in intention(&set_up, &links) {
        tell(&line);
    }
    let mut nodes = to_set_up(spec, &connections, links);
    let summary = set_up.run(&mut nodes, tell).await?;
    tell(&format!("the machines are set up: {summary}"));
    // As they are now, which the playbook has promised and nobody has seen yet.
    let nodes = machines::nodes(spec, connections).await?;
    for node in &nodes {
        for link in Link::ALL {
            node.shape(link, spec.networks.of(link).link_rate).await?;
        }
    }
    Ok(nodes)
}

/// What will be changed and that nothing takes it back, before it is.
fn intention(set_up: &SetUp<'_>, links: &[Links]) -> Vec<String> {
    let spec = set_up.spec;
    let playbook = set_up.templates.join(SetUp::template(spec.hypervisor));
    let mut lines = vec![format!(
        "`set_up: true`: {} are machines that `lab-up` changes by {playbook}",
        spec.nodes.join(", ")
    )];
    for (name, links) in spec.nodes.iter().zip(links) {
        let mut words = vec![
            format!("{} on {BRIDGE} over {} for guests", links.guest_address, links.guest_device),
            format!("{} on {} for migrations", links.migration_address, links.migration_device),
        ];
        words.extend(
            links
                .storage
                .iter()
                .map(|(address, device)| format!("{address} on {device} for storage")),
        );
        lines.push(format!("  {name}: {}", words.join(", ")));
    }
    lines.push(
        "  nothing takes that back: `lab-down` removes this program's own files and the links' \
         shaping"
            .to_owned(),
    );
    lines
}

fn devices(links: &[Links]) -> Vec<Devices> {
    let of_one = |links: &Links| Devices {
        addresses: Some(Addresses {
            guest: links.guest_address,
            migration: links.migration_address,
            storage: links.storage.as_ref().map(|(address, _)| *address),
        }),
        guest: links.guest_device.clone(),
        migration: links.migration_device.clone(),
        storage: links.storage.as_ref().map(|(_, device)| device.clone()),
    };
    links.iter().map(of_one).collect()
}

fn to_set_up(spec: &LabSpec, connections: &[Connection], links: Vec<Links>) -> Vec<Node> {
    let nodes = spec.nodes.iter().zip(connections).zip(links);
    nodes
        .map(|((name, connection), links)| machines::node(spec, name, connection.clone(), links))
        .collect()
}

/// What [`up`] would do, as text. To look at machines that are to be set up, our program is put on
/// them, and removed again where no lab of this name has used them.
pub(super) async fn preview(spec: &LabSpec, programs: Programs<'_>) -> Result<String> {
    let names = spec.nodes.join(", ");
    if !spec.sets_up_hosts() {
        return Ok(format!(
            "would put our own program on {names} and change nothing else: `set_up` is off\n"
        ));
    }
    let (looking, connections) = hosts::begin_to_look(spec, &(programs.observer)()?).await?;
    let found = async {
        let links = hosts::links_to_set_up(spec, &connections, BRIDGE).await?;
        let devices = devices(&links);
        let folder = Utf8Path::new("");
        let set_up = SetUp { spec, devices: &devices, templates: programs.templates, folder };
        let mut text: String =
            intention(&set_up, &links).iter().map(|line| format!("{line}\n")).collect();
        let mut nodes = to_set_up(spec, &connections, links);
        text += &set_up.preview(&mut nodes).await?.to_string();
        anyhow::Ok(text)
    }
    .await;
    let ended = looking.end().await;
    let text = found?;
    ended?;
    Ok(text)
}

/// What stays on the machines when a lab is taken down, if anything may.
pub(super) fn what_stays(spec: &LabSpec) -> Option<String> {
    spec.sets_up_hosts().then(|| {
        format!(
            "what setting up made on {} stays: packages, the bridge {BRIDGE}, network configuration, \
             mounts; our own files and our shaping of links are gone",
            spec.nodes.join(", ")
        )
    })
}
