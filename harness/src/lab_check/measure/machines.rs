//! What machines say of themselves.

use super::{DEADLINE, Station, all};
use crate::lab_check::{Asked, Facts, Machine, Reading};
use anyhow::{Context, Result};
use camino::Utf8PathBuf;
use lab::{RunningLab, node::Node};

/// Asks for everything at once; `$0` is QEMU.
const SCRIPT: &str = "cat /proc/loadavg && nproc && grep MemAvailable /proc/meminfo && uname -r && \
    { \"$0\" --version 2>/dev/null | head -n 1; }";

/// The machines, and the nodes that answer.
pub async fn look(lab: &RunningLab, asked: &Asked<'_>) -> (Vec<Machine>, Vec<Station>) {
    let mut groups: Vec<Vec<(usize, Node)>> = Vec::new();
    for (index, node) in lab.nodes.iter().cloned().enumerate() {
        let same = |group: &&mut Vec<(usize, Node)>| {
            node.is_this_machine() && group.iter().all(|(_, other)| other.is_this_machine())
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push((index, node)),
            None => groups.push(vec![(index, node)]),
        }
    }
    let (observer, qemu) = (asked.observer.to_owned(), asked.qemu.to_owned());
    let looked = all(groups.into_iter().map(|group| {
        let (observer, qemu) = (observer.clone(), qemu.clone());
        async move {
            let nodes = group.iter().map(|(_, node)| node.name.clone()).collect();
            let (facts, stations) = match of(&group, observer, &qemu).await {
                Ok((facts, stations)) => (Reading::Measured(facts), stations),
                Err(error) => (Reading::Failed(format!("{error:#}")), Vec::new()),
            };
            (Machine { nodes, facts, stolen: None }, stations)
        }
    }))
    .await;
    let (machines, stations): (Vec<_>, Vec<Vec<_>>) = looked.into_iter().unzip();
    let mut stations = stations.concat();
    stations.sort_by_key(|station| station.index);
    (machines, stations)
}

/// Of one machine, which may be several nodes: the first is asked.
async fn of(
    group: &[(usize, Node)],
    observer: Utf8PathBuf,
    qemu: &str,
) -> Result<(Facts, Vec<Station>)> {
    let (_, first) = group.first().context("a machine that is no node")?;
    let argv = ["sh", "-c", SCRIPT, qemu].map(str::to_owned);
    let said = first.run(&argv, DEADLINE).await?;
    let facts = parse(&said).with_context(|| format!("{} says of itself `{said}`", first.name))?;
    let mut stations = Vec::new();
    for (index, node) in group {
        let observer = node.deliver(&observer).await?;
        stations.push(Station { node: node.clone(), index: *index, observer });
    }
    Ok((facts, stations))
}

fn parse(said: &str) -> Option<Facts> {
    let mut lines = said.lines();
    let load = lines.next()?.split(' ').next()?.parse().ok()?;
    let processors = lines.next()?.trim().parse().ok()?;
    let available_kib: u64 = lines.next()?.split_whitespace().nth(1)?.parse().ok()?;
    Some(Facts {
        load,
        processors,
        memory_available_bytes: available_kib.saturating_mul(1024),
        kernel: lines.next()?.trim().to_owned(),
        qemu: lines
            .next()
            .map(|line| line.trim().trim_start_matches("QEMU emulator version ").to_owned())
            .filter(|version| !version.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_machines_say_is_understood() {
        let said = "0.31 0.20 0.10 1/200 4242\n2\nMemAvailable:    1048576 kB\n6.1.0-13-amd64\n\
                    QEMU emulator version 10.0.2 (Debian 1:10.0.2)\n";
        let facts = Facts {
            load: 0.31,
            processors: 2,
            memory_available_bytes: 1 << 30,
            kernel: "6.1.0-13-amd64".to_owned(),
            qemu: Some("10.0.2 (Debian 1:10.0.2)".to_owned()),
        };
        assert_eq!(parse(said), Some(facts.clone()));
        let without = said.split("QEMU").next().unwrap();
        assert_eq!(parse(without), Some(Facts { qemu: None, ..facts }));
        assert_eq!(parse("0.31\n"), None);
    }
}
