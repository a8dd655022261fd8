//! Advice on a Proxmox cluster, by the program as a user runs it: what the ways between its nodes
//! carry, as they are and through true SSH, and what becomes of a VM. Nothing is changed.

use crate::support::{Sandbox, build, cluster::Cluster, machines::NODES, program::Ended};
use serde_json::Value;
use std::{fs, net::Ipv4Addr};
use tokio::task::block_in_place;

const VMID: u32 = 105;
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 250);

/// Lets root of each machine in to the others, over the migration network, as a cluster does; on
/// folders that only the machine sees.
fn let_in(cluster: &Cluster<'_>, sandbox: &Sandbox) {
    let folder = sandbox.path();
    let host = fs::read_to_string(folder.join("host.pub")).expect("a key");
    let known: String = NODES.iter().map(|node| format!("{node} {host}")).collect();
    let known = sandbox.file("known-by-nodes", &known);
    for index in 0..NODES.len() {
        cluster.machines.on(
            index,
            &format!(
                "home=$(getent passwd 0 | cut -d: -f6)
                 mount -t tmpfs tmpfs $home
                 mkdir -m 700 $home/.ssh
                 cp {known} $home/.ssh/known_hosts
                 install -m 600 {folder}/user $home/.ssh/id_ed25519
                 printf '%s\\n' 'HostKey {folder}/host' 'AuthorizedKeysFile {folder}/user.pub' \
                   'UsePAM no' 'StrictModes no' 'ListenAddress 10.78.0.{}' \
                   'PidFile /run/between.pid' > /run/between
                 $(command -v sshd || echo /usr/sbin/sshd) -f /run/between",
                index + 1
            ),
        );
    }
}

/// Advice on all that was asked for.
fn looked_at(cluster: &Cluster<'_>, more: &[&str]) -> Ended {
    let ended = cluster.advise(more).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended
}

/// How many of the ways have this measured.
fn measured(answer: &Value, what: &str) -> usize {
    let ways = answer["ways"].as_array().expect("ways");
    let rate = |way: &&Value| way[what]["measured"].as_f64().is_some_and(|rate| rate > 1e5);
    ways.iter().filter(rate).count()
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ways_and_vms_of_a_cluster_are_looked_at() {
    build::build().expect("built");
    let sandbox = Sandbox::new();
    let Some(cluster) = Cluster::up(&sandbox, true).await else { return };
    cluster.somebodys_vm(VMID, "web1", "node2", ADDRESS, 128).await;

    // Nodes without SSH between them: what is known is told, and what would help.
    let closed = block_in_place(|| looked_at(&cluster, &["--vm", "105", "--json"]));
    let answer = json(&closed);
    assert_eq!((measured(&answer, "plain"), measured(&answer, "tunnel")), (6, 0), "{answer:#}");
    let remedy = answer["no_secure"]["remedy"].as_str().expect("a remedy");
    assert!(remedy.contains("ssh -o BatchMode=yes root@"), "{answer:#}");
    let seen = &answer["vms"][0]["seen"]["advice"];
    assert_eq!((&seen["vm"]["vmid"], &seen["vm"]["node"]), (&105.into(), &"node2".into()));
    assert_eq!(seen["vm"]["windows"].as_array().map(Vec::len), Some(2), "{seen:#}");
    assert_eq!(seen["secure"], Value::Null);

    let_in(&cluster, &sandbox);
    let open = block_in_place(|| looked_at(&cluster, &["--vm", "105", "--json"]));
    let answer = json(&open);
    assert_eq!((measured(&answer, "plain"), measured(&answer, "tunnel")), (6, 6), "{answer:#}");
    assert_eq!(answer["no_secure"], Value::Null);
    assert!(answer["vms"][0]["seen"]["advice"]["secure"].is_object(), "{answer:#}");

    // One that is not there costs its own answer and the exit code.
    let none = block_in_place(|| cluster.advise(&["--vm", "999", "--vm", "105"]).end());
    assert_eq!(none.code, Some(4), "{none:?}");
    for words in ["999", "web1", "SSH carries"] {
        assert!(none.stdout.contains(words), "no `{words}` in {none:?}");
    }
    for index in 0..NODES.len() {
        cluster.machines.on(index, "kill $(cat /run/between.pid)");
    }

    {
        let mut world = cluster.double.world();
        let asked = world.asked.iter().filter(|it| it.method != "GET");
        let looks = ["calc_dirty_rate", "info dirty_rate"];
        for asked in asked.filter(|it| it.path != "/access/ticket") {
            let command = asked.parameter("command").unwrap_or_default();
            assert!(
                looks.iter().any(|look| command.starts_with(look)),
                "{} {command}",
                asked.name()
            );
        }
        let vm = world.vm(VMID).expect("it is there");
        assert_eq!((vm.node.as_str(), vm.lock.as_deref(), vm.running), ("node2", None, true));
    }
    block_in_place(|| cluster.down());
}
