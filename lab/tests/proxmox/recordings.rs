//! Every answer that was recorded, served as it came and read as the client reads it.

use crate::{
    comparison::unread,
    pve::{Double, Failure, Reply, World},
    recorded::{Recorded, all, named},
};
use lab::hypervisor::proxmox::{
    Capabilities, Client, Error, Fault, Form, Upid,
    capabilities::InfoMigrateFormat,
    info_migrate::InfoMigrate,
    tasks::{Exit, LogLine, TaskEntry, TaskStatus},
    types::*,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Asks for it through TLS, with the status line that Proxmox sent.
async fn ask(double: &Double, client: &Client, recorded: &Recorded) -> Result<Value, Error> {
    double.world().fail("/recorded", Failure::Answer(recorded.reply.clone()));
    let path = format!("/recorded{}", recorded.url.split('?').next().unwrap_or_default());
    match recorded.method.as_str() {
        "GET" => client.get(&path, &Form::new()).await,
        "PUT" => client.put(&path, &Form::new()).await,
        "DELETE" => client.delete(&path, &Form::new()).await,
        _ => client.post(&path, &Form::new()).await,
    }
}

/// The path with names left out.
fn shape(recorded: &Recorded) -> String {
    let path = recorded.url.split('?').next().unwrap_or_default();
    let mut shape: Vec<&str> = Vec::new();
    for part in path.split('/') {
        let named = matches!(shape.last(), Some(&("nodes" | "qemu" | "tasks" | "roles")));
        let stored = shape.len() == 4 && shape[3] == "storage";
        shape.push(if named || stored { "*" } else { part });
    }
    format!("{} {}", recorded.method, shape.join("/"))
}

/// Reads data into what the client makes of such an answer; `None` where it asks for no such.
fn read(recorded: &Recorded, data: &Value) -> Option<BTreeSet<String>> {
    let name = &recorded.name;
    Some(match shape(recorded).as_str() {
        "GET /version" | "GET /nodes/*/version" => unread::<Release>(data, name),
        "GET /cluster/status" => status(data),
        "GET /cluster/resources" => unread::<Vec<Resource>>(data, name),
        "GET /cluster/tasks" | "GET /nodes/*/tasks" => unread::<Vec<TaskEntry>>(data, name),
        "GET /cluster/options" => unread::<ClusterOptions>(data, name),
        "GET /nodes" => unread::<Vec<NodeEntry>>(data, name),
        "GET /nodes/*/status" => unread::<NodeStatus>(data, name),
        "GET /nodes/*/time" => unread::<NodeTime>(data, name),
        "GET /nodes/*/network" => unread::<Vec<Interface>>(data, name),
        "GET /nodes/*/apt/versions" => unread::<Vec<Package>>(data, name),
        "GET /nodes/*/storage" => unread::<Vec<StorageStatus>>(data, name),
        "GET /nodes/*/storage/*/content" => unread::<Vec<Content>>(data, name),
        "GET /nodes/*/qemu" => unread::<Vec<VmStatus>>(data, name),
        "GET /nodes/*/qemu/*/config" => unread::<VmConfig>(data, name),
        "GET /nodes/*/qemu/*/status/current" => unread::<VmStatus>(data, name),
        "GET /nodes/*/qemu/*/migrate" => unread::<Precheck>(data, name),
        "GET /nodes/*/tasks/*/status" => unread::<TaskStatus>(data, name),
        "GET /nodes/*/tasks/*/log" => unread::<Vec<LogLine>>(data, name),
        "GET /storage" => unread::<Vec<StorageEntry>>(data, name),
        "GET /access/permissions" => unread::<Permissions>(data, name),
        "GET /access/roles/*" => {
            let role: Role = serde_json::from_value(data.clone()).expect("as recorded");
            assert_eq!(role.0, data.as_object().expect("as recorded").keys().cloned().collect());
            BTreeSet::new()
        }
        "POST /nodes/*/qemu/*/monitor" => {
            let text = data.as_str().expect("as recorded");
            if text.contains("igration status") {
                let info = InfoMigrate::read(text, InfoMigrateFormat::Lines).expect("as recorded");
                insta::assert_json_snapshot!(format!("info_{name}"), info);
            }
            BTreeSet::new()
        }
        shape
            if shape.starts_with("POST ")
                || shape.starts_with("DELETE ")
                || shape.starts_with("PUT ") =>
        {
            match data {
                Value::Null => {}
                Value::String(upid) => {
                    assert_eq!(upid.parse::<Upid>().expect("as recorded").to_string(), *upid);
                }
                _ => return None,
            }
            BTreeSet::new()
        }
        _ => return None,
    })
}

/// Its list becomes something else: a cluster and its nodes.
fn status(data: &Value) -> BTreeSet<String> {
    let status: ClusterStatus = serde_json::from_value(data.clone()).expect("as recorded");
    let is = |entry: &Value, kind: &str| entry["type"] == kind;
    let entries = data.as_array().expect("as recorded");
    let cluster = entries.iter().find(|entry| is(entry, "cluster")).expect("as recorded");
    assert_eq!(status.name.as_deref(), cluster["name"].as_str());
    assert_eq!(Value::from(u8::from(status.quorate)), cluster["quorate"]);
    let nodes = entries.iter().filter(|entry| is(entry, "node"));
    assert_eq!(Value::from(nodes.clone().count()), cluster["nodes"]);
    nodes
        .flat_map(|entry| {
            let read =
                status.nodes.iter().find(|node| entry["name"] == *node.name).expect("as recorded");
            assert_eq!(Value::from(u8::from(read.online)), entry["online"]);
            assert_eq!(Value::from(u8::from(read.local)), entry["local"]);
            unread::<ClusterNode>(entry, "cluster status")
        })
        .collect()
}

#[tokio::test]
async fn every_answer_is_read_without_loss() {
    let double = Double::start(World::cluster()).await;
    let client = double.token();
    let (mut unread_keys, mut not_asked, mut good) = (BTreeMap::new(), Vec::new(), 0);
    for recorded in all().iter().filter(|r| r.reply.status == 200) {
        let data = ask(&double, &client, recorded)
            .await
            .unwrap_or_else(|e| panic!("{}: {e}", recorded.name));
        let body: Value = serde_json::from_str(&recorded.reply.body).unwrap();
        assert_eq!(data, body["data"], "{}", recorded.name);
        match read(recorded, &data) {
            Some(keys) => {
                good += 1;
                let of_shape: &mut BTreeSet<String> =
                    unread_keys.entry(shape(recorded)).or_default();
                of_shape.extend(keys);
            }
            None => not_asked.push(recorded.name.clone()),
        }
    }
    unread_keys.retain(|_, keys| !keys.is_empty());
    insta::assert_json_snapshot!("keys_that_are_left_out", unread_keys);
    insta::assert_json_snapshot!("answers_that_are_not_asked_for", not_asked);
    assert!(good > 150, "{good}");
}

#[tokio::test]
async fn every_refusal_is_one_clear_error() {
    let double = Double::start(World::cluster()).await;
    let client = double.token();
    let mut errors = BTreeMap::new();
    for mut recorded in all().into_iter().filter(|r| r.reply.status != 200) {
        let error = ask(&double, &client, &recorded).await.expect_err(&recorded.name).to_string();
        // The words of Proxmox VE before 8.4, which stand in the reason phrase alone.
        recorded.reply = recorded.reply.without_message();
        let older = ask(&double, &client, &recorded).await.expect_err(&recorded.name).to_string();
        assert_eq!(error, older, "{}", recorded.name);
        errors.insert(recorded.name, error.replace("/recorded", ""));
    }
    assert!(errors.len() > 40, "{}", errors.len());
    let shown: Vec<String> =
        errors.iter().map(|(name, error)| format!("== {name}\n{error}\n")).collect();
    insta::assert_snapshot!("refusals", shown.join("\n"));
}

#[tokio::test]
async fn the_next_id_is_a_number_or_the_text_of_one() {
    let double = Double::start(World::cluster()).await;
    for (reply, id) in [
        (named("get-cluster-nextid").reply, Some(102)),
        (Reply::data(&serde_json::json!(103)), Some(103)),
        (Reply::data(&serde_json::json!("none")), None),
    ] {
        double.world().fail("/cluster/nextid", Failure::Answer(reply));
        assert_eq!(double.token().next_id().await.ok(), id);
    }
}

#[tokio::test]
async fn capabilities_are_those_of_the_installed_package() {
    let double = Double::start(World::cluster()).await;
    let packages = serde_json::json!([{"Package": "qemu-server", "CurrentState": "Installed",
        "Version": "9.2.6", "OldVersion": "8.3.8"}]);
    double.world().fail("/apt/versions", Failure::Answer(Reply::data(&packages)));
    let capabilities = double.token().capabilities("pve1").await.unwrap();
    assert_eq!(capabilities.qemu_server.to_string(), "8.3.8");
    assert!(!capabilities.says_final_bytes);
    // The recorded cluster's packages were put together by hand.
    double.world().fail("/apt/versions", Failure::Answer(named("get-apt-versions").reply));
    let error = double.token().capabilities("pve1").await.unwrap_err();
    assert!(error.to_string().contains("`qemu-server` is not among"), "{error}");
}

#[test]
fn versions_lead_to_capabilities() {
    let status: NodeStatus = data("get-node-status");
    assert_eq!(status.loadavg.len(), 3);
    assert!(!status.cpuinfo.has_virtualization(), "nested without KVM");
    let packages: Vec<Package> = data("get-apt-versions");
    let installed = |p: &Package| p.installed().map(|v| v.unwrap().to_string());
    let corosync = packages.iter().find(|p| p.package == "corosync").unwrap();
    assert_eq!(installed(corosync).as_deref(), Some("3.1.9"));
    let absent = packages.iter().find(|p| p.package == "ceph-fuse").unwrap();
    assert_eq!(installed(absent), None);
    assert!(Capabilities::of("9.1.6".parse().unwrap()).conntrack_state);
}

fn data<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let body: Value = serde_json::from_str(&named(name).reply.body).expect("as recorded");
    serde_json::from_value(body["data"].clone()).expect("as recorded")
}

#[test]
fn what_decides_a_migration_is_there() {
    let status: ClusterStatus = data("down-12s.cluster-status");
    let online: Vec<_> = status.nodes.iter().map(|n| (n.name.as_str(), n.online)).collect();
    assert!(status.quorate);
    assert_eq!(online, [("pve1", true), ("pve2", true), ("pve3", false)]);
    assert!(!data::<ClusterStatus>("noquorum.cluster-status").quorate);
    let options: ClusterOptions = data("6-get-options");
    let migration = options.migration.unwrap();
    assert_eq!(migration.kind.as_deref(), Some("insecure"));
    assert_eq!(migration.network.as_deref(), Some("198.51.100.0/24"));
    assert_eq!(data::<ClusterOptions>("get-cluster-options"), ClusterOptions::default());
    let precheck: Precheck = data("migrate-precheck-localdisk");
    assert_eq!(precheck.local_disks[0].volid, "local:102/vm-102-disk-0.raw");
    let cd: Precheck = data("3-localiso-precheck");
    assert!(cd.local_disks[0].cdrom);
    let twin: VmStatus = data("8-kill-complete-status");
    assert_eq!(
        (twin.qmpstatus.as_deref(), twin.lock.as_deref()),
        (Some("postmigrate"), Some("migrate"))
    );
    assert!(twin.is_running() && !twin.is_ha_managed());
    let config: VmConfig = data("during-migration.source-config");
    assert_eq!(
        (config.lock(), config.memory_bytes(), config.vcpus()),
        (Some("migrate"), Some(512 << 20), 1)
    );
    assert_eq!(config.drives().map(|(key, _)| key).collect::<Vec<_>>(), ["scsi0"]);
    let permissions: Permissions = data("get-access-permissions");
    assert!(
        permissions.has("/vms/101", "VM.Migrate") && !permissions.has("/vms/101", "VM.Monitor")
    );
}

#[tokio::test]
async fn ends_of_tasks_are_told_apart() {
    let exit = |name: &str| Exit::of(data::<TaskStatus>(name).exitstatus.as_deref().unwrap());
    assert_eq!(exit("migrate-secure.status"), Exit::Ok);
    assert_eq!(exit("migrate-cancel.status"), Exit::Failed("migration problems".to_owned()));
    assert_eq!(Exit::of("WARNINGS: 2"), Exit::Warnings(2));
    assert!(Exit::of("WARNINGS: 2").is_good() && !Exit::of("unexpected status").is_good());
    // There is a log that says that there is none, with a good status.
    let double = Double::start(World::cluster()).await;
    double.world().fail("/log", Failure::Answer(named("err-upid-unknown-log").reply));
    let upid: Upid = "UPID:pve1:00000001:00000001:6B000000:qmigrate:101:root@pam:".parse().unwrap();
    let error = double.token().task_log(&upid, 0).await.unwrap_err();
    assert!(matches!(error.fault(), Fault::NoTask { .. }), "{error}");
}
