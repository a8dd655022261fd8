//! Experiments on a Proxmox cluster that one has, by the program as a user runs it: as root with its
//! password, and by a token that may do no more than it must.

use crate::{
    pve::{PASSWORD, TOKEN_SECRET},
    support::{
        Sandbox, build,
        check::{measured, value, verified, well_formed},
        cluster::Cluster,
        lax,
    },
};
use harness::{
    metric,
    record::{Outcome, Record},
};
use serde_json::json;
use tokio::task::block_in_place;

const EXPERIMENT: &str = "
name: on-proxmox
replicates: 2
heartbeat_interval: 2 ms
max_time: 60 s
factors:
  memory: 64 MiB
  working_set: 8 MiB
  filled: 32 MiB
  touch_rate: 1000 pages/s
  bandwidth_limit: 20 MiB/s
  downtime_limit: 200 ms
";

fn completed(record: &Record) {
    well_formed(record);
    assert_eq!(record.outcome, Outcome::Completed, "{:?}", record.reason);
    verified(record);
    assert!(measured(record, metric::PROXMOX_DOWNTIME) > 0.0);
    assert!(measured(record, metric::SERVICE_GAP) > 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_experiment_runs_on_a_cluster_that_one_has() {
    build::build().expect("built");
    let sandbox = Sandbox::new();
    let Some(cluster) = Cluster::up(&sandbox, true).await else { return };
    let experiment = format!("{EXPERIMENT}  transport: [insecure, secure]\n");
    let file = sandbox.file("on-proxmox.yaml", &lax(&experiment));

    // A plan asks nobody, and needs no password.
    let lab = cluster.lab.as_str();
    let arguments = ["experiment", file.as_str(), "--lab", lab, "--plan"];
    let plan = block_in_place(|| sandbox.start(&arguments).succeed());
    assert!(plan.stdout.contains("secure"), "{}", plan.stdout);
    assert!(cluster.double.world().asked.is_empty());

    let refused = block_in_place(|| cluster.experiment_as("wrong", file.as_str(), &[]).end());
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    assert!(refused.stderr.contains("wrong user, realm or password"), "{}", refused.stderr);

    let ended = block_in_place(|| cluster.experiment(file.as_str(), &[]).succeed());
    assert!(!ended.stderr.contains(PASSWORD) && !ended.stdout.contains(PASSWORD));
    let (run, records) = cluster.records();
    assert_eq!(records.len(), 4);
    for record in &records {
        completed(record);
        // Both QEMUs were heard, over their own monitors.
        for name in [metric::VCPU_PAUSE, metric::RESUME_DELAY] {
            assert!(measured(record, name) > 0.0, "{name}");
        }
        assert!(measured(record, metric::TOTAL_TIME) > 1000.0);
        // What the double sends as if by SSH goes over no link.
        if record.cell == "transport=insecure" {
            assert!(measured(record, metric::WIRE_BYTES) >= measured(record, metric::STREAM_BYTES));
        }
    }
    let manifest = std::fs::read_to_string(run.path().join("manifest.json")).expect("read");
    assert!(manifest.contains("\"qemu-server\": \"9.1.6\"") && !manifest.contains(PASSWORD));
    {
        let world = cluster.double.world();
        let migrations = world.asked.iter().filter(|it| it.path.ends_with("/migrate"));
        let mut kinds: Vec<_> =
            migrations.filter_map(|it| it.parameter("migration_type")).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, ["insecure", "insecure", "secure", "secure"]);
        assert_eq!(world.times("/upload"), 0);
    }
    assert_eq!(cluster.left().await, (0, 0));
    block_in_place(|| cluster.down());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_may_do_no_more_than_it_must_is_enough() {
    build::build().expect("built");
    let sandbox = Sandbox::new();
    let Some(cluster) = Cluster::up(&sandbox, false).await else { return };
    let experiment = EXPERIMENT.replace("replicates: 2", "replicates: 1");
    let file = sandbox.file("by-token.yaml", &lax(&experiment));
    let run = || block_in_place(|| cluster.experiment(file.as_str(), &[]).end());

    // All that is missing is said before anything is uploaded, each with what helps.
    let good = {
        let mut world = cluster.double.world();
        let facts = &mut world.facts;
        let good = (facts.options.clone(), facts.storages.clone());
        facts.options["migration"]["type"] = json!("secure");
        facts.storages[1]["content"] = json!("images");
        facts.node("node2")["storage"][1]["active"] = json!(0);
        good
    };
    let refused = run();
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    for words in [
        "lab@pve!harness lacks some on /vms/9900: ",
        "lacks some on /storage/shared: Datastore.AllocateSpace Datastore.AllocateTemplate",
        "lacks some on /sdn/zones/localnetwork/vmbr0: SDN.Use",
        "`pveum role add PrecopyLab --privs 'Datastore.AllocateSpace ",
        "`pveum acl modify /storage/shared --users lab@pve --tokens 'lab@pve!harness' --roles PrecopyLab`",
        "`pvesm set shared --content images,iso`",
        "`pvesm status --storage shared` on node2",
        "`pvesh set /cluster/options --migration type=insecure,network=10.78.0.0/24`",
    ] {
        assert!(refused.stderr.contains(words), "no `{words}` in:\n{}", refused.stderr);
    }
    {
        let mut world = cluster.double.world();
        assert!(world.asked.iter().all(|it| it.method == "GET"), "something was changed");
        (world.facts.options, world.facts.storages) = good;
        world.facts.node("node2")["storage"][1]["active"] = json!(1);
        world.grant(9900..=9909);
    }

    let ended = run();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains(TOKEN_SECRET) && !ended.stdout.contains(TOKEN_SECRET));
    assert!(ended.stderr.contains("uploading the guest's CD: shared:iso/"), "{}", ended.stderr);
    let (_, records) = cluster.records();
    let [record] = &records[..] else { panic!("{records:?}") };
    completed(record);
    assert!(value(record, metric::VCPU_PAUSE).is_none(), "nobody told of STOP");

    // The next run finds the CD there.
    let ended = run();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    cluster.records().1.iter().for_each(completed);
    {
        let world = cluster.double.world();
        assert_eq!(world.times("/upload"), 1);
        let mut parameters = world.asked.iter().flat_map(|it| &it.parameters);
        let root_only = ["args", "migration_type", "migration_network", "skiplock"];
        assert!(parameters.all(|(key, _)| !root_only.contains(&key.as_str())));
        assert_eq!(world.volumes.len(), 1, "it stays for the next run");
    }
    assert_eq!(cluster.left().await, (0, 0));
    block_in_place(|| cluster.down());
}
