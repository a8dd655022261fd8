//! What a survey of a cluster finds.

use crate::pve::{Double, Failure, Reply, World};
use lab::{
    hypervisor::proxmox::{
        Client, Fault,
        survey::{Answer, Grant, Survey, TAG},
    },
    spec::LabSpec,
};
use serde_json::json;

const LAB: &str = "name: pve
provider: hosts
hypervisor: proxmox
nodes: [pve1, pve2, pve3]
networks: { guest: { cidr: 192.0.2.0/26 }, migration: { cidr: 192.0.2.128/26 } }
proxmox: { api: { user: root@pam, ca: ca.pem } }
";

fn spec() -> LabSpec {
    LabSpec::parse("lab.yaml", LAB).expect("a lab")
}

#[tokio::test]
async fn a_cluster_is_read_and_nothing_else_is_done_to_it() {
    let double = Double::start(World::cluster()).await;
    double.world().facts.clocks.insert("pve3".to_owned(), -90);
    let ours = json!({"type": "qemu", "id": "qemu/9901", "vmid": 9901, "node": "pve2",
        "name": "left", "status": "stopped", "tags": format!("a;{TAG}")});
    double.world().facts.guests.push(ours);
    double.world().facts.node("pve2")["status"]["cpuinfo"]["flags"] = json!("fpu vmx aes");
    let survey = Survey::take(&double.root(), &spec()).await.expect("it is told");
    assert!(survey.is_root && survey.sees_all_guests && !survey.is_token);
    assert_eq!(survey.lacks, Answer::Told(Vec::new()));
    let clock = |index: usize| survey.nodes[index].clock.told().expect("told").clone();
    assert!((clock(2).offset_s + 90.0).abs() <= clock(2).error_s, "{:?}", clock(2));
    assert!(clock(0).offset_s.abs() <= clock(0).error_s, "{:?}", clock(0));
    let lacks = |index: usize| survey.nodes[index].health.told().expect("told").lacks_flags.clone();
    assert_eq!((lacks(0), lacks(1)), (vec![], vec!["avx2".to_owned()]));
    let guests = survey.guests.told().expect("told");
    assert_eq!(guests.len(), 1, "VM 101 is neither ours nor in the way: {guests:?}");
    assert!(guests[0].tagged && guests[0].in_range);
    let text = serde_json::to_string(&survey).expect("JSON");
    let mut again: Survey = serde_json::from_str(&text).expect("it reads back");
    for (node, now) in again.nodes.iter_mut().zip(&survey.nodes) {
        let (Answer::Told(health), Some(now)) = (&mut node.health, now.health.told()) else {
            panic!("{node:?}")
        };
        health.flags.clone_from(&now.flags);
    }
    assert_eq!(again, survey);
    let world = double.world();
    let written = world.asked.iter().filter(|it| it.method != "GET" && it.path != "/access/ticket");
    assert_eq!(written.count(), 0);
    assert!(world.tasks.is_empty());
}

#[tokio::test]
async fn what_a_token_lacks_is_found_with_the_commands_that_grant_it() {
    let double = Double::start(World::cluster()).await;
    let spec = spec();
    let survey = Survey::take(&double.token(), &spec).await.expect("it is told");
    assert!(survey.is_token && !survey.is_root && !survey.sees_all_guests);
    let lacks = survey.lacks.told().expect("told");
    let proxmox = spec.proxmox().expect("it is Proxmox's");
    let grant = Grant { who: &survey.who, proxmox: &proxmox };
    let words = lacks.iter().map(|lack| {
        let privileges = lack.privileges.join(" ");
        format!("{}, {}:\n  {privileges}\n  {}", lack.path, lack.purpose, grant.command(&lack.path))
    });
    let words: Vec<String> = std::iter::once(grant.role()).chain(words).collect();
    insta::assert_snapshot!("survey_lacks", words.join("\n"));
    for lack in lacks {
        let path = lack.path.clone();
        let held = lack.privileges.iter().map(|it| (path.clone(), it.clone()));
        double.world().granted.extend(held);
    }
    let survey = Survey::take(&double.token(), &spec).await.expect("it is told");
    assert_eq!(survey.lacks, Answer::Told(Vec::new()));
}

#[tokio::test]
async fn a_node_that_is_down_is_not_waited_for() {
    let double = Double::start(World::cluster()).await;
    double.world().nodes.insert("pve2".to_owned(), false);
    let mut spec = spec();
    spec.nodes.push("pve9".to_owned());
    let survey = Survey::take(&double.root(), &spec).await.expect("it is told");
    for node in ["/nodes/pve2", "/nodes/pve9"] {
        assert_eq!(double.world().times(node), 0);
    }
    let why = |index: usize| match &survey.nodes[index].health {
        Answer::Refused(refusal) => refusal.why.clone(),
        Answer::Told(_) => String::new(),
    };
    assert_eq!((why(1), why(3)), ("it is offline".into(), "it is no node of the cluster".into()));
}

#[tokio::test]
async fn what_is_refused_is_kept_as_that_and_what_is_wrong_with_all_is_said_once() {
    let double = Double::start(World::cluster()).await;
    let refusal = Reply::error(403, "Permission check failed (/, Sys.Audit)");
    double.world().fail("GET /cluster/options", Failure::Answer(refusal));
    let survey = Survey::take(&double.token(), &spec()).await.expect("it is told");
    let Answer::Refused(refusal) = &survey.datacenter else { panic!("{:?}", survey.datacenter) };
    assert!(refusal.why.contains("Sys.Audit is missing on /"), "{refusal:?}");
    assert!(refusal.hint.is_some());
    double.world().fail("GET /version", Failure::Answer(Reply::bare(401, "No ticket")));
    let error = Survey::take(&double.token(), &spec()).await.expect_err("not let in");
    assert!(matches!(error.fault(), Fault::TokenRefused { .. }), "{error}");
}

#[test]
fn a_client_needs_its_secret_and_never_shows_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let double = crate::pve::Certificates::new();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &double.authority).expect("written");
    let text = LAB.replace("ca.pem", &ca.display().to_string());
    let spec = LabSpec::parse("lab.yaml", &text).expect("a lab");
    let error = Client::of_lab(&spec, |_| None).expect_err("there is none").to_string();
    assert!(error.contains("PRECOPY_PVE_PASSWORD, which is not set"), "{error}");
    let given = |name: &str| (name == "PRECOPY_PVE_PASSWORD").then(|| "hunter2".to_owned());
    let client = Client::of_lab(&spec, given).expect("a client");
    assert_eq!(client.credentials().who(), "root@pam");
    assert!(!format!("{client:?}").contains("hunter2"));
    let lost = Client::of_lab(&self::spec(), given).expect_err("no authority").to_string();
    assert!(lost.contains("ca.pem: No such file"), "{lost}");
}
