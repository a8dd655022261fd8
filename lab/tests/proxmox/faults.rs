//! What goes wrong, each as one clear error.

use crate::{
    migration,
    pve::{Double, Failure, Reply, World},
};
use lab::hypervisor::proxmox::{Client, Fault, Form, Patience, Settings, Start};
use std::time::Duration;

fn config(key: &str, value: &str) -> Start<'static> {
    Start::of_vm("pve1", 101, "config", "qmconfig", Form::new().with(key, value))
}

#[tokio::test]
async fn a_missing_privilege_is_named() {
    let double = Double::start(World::cluster()).await;
    double.world().granted.clear();
    let error = double.token().start(&migration("pve2")).await.unwrap_err();
    insta::assert_snapshot!("missing_privilege", error);
}

#[tokio::test]
async fn what_only_root_may_is_said() {
    let double = Double::start(World::cluster()).await;
    let form = Form::new().with("target", "pve2").with_flag("online", true);
    let form = form.with("migration_type", "insecure");
    let start = Start::of_vm("pve1", 101, "migrate", "qmigrate", form);
    let error = double.token().start(&start).await.unwrap_err();
    insta::assert_snapshot!("only_root", error);
    double.root().start(&start).await.unwrap();
    let error = double.token().start_or_done(&config("args", "-no-shutdown")).await.unwrap_err();
    assert!(matches!(error.fault(), Fault::RootOnly { .. }), "{error}");
}

#[tokio::test]
async fn parameters_are_named() {
    let double = Double::start(World::cluster()).await;
    let form = Form::new().with("target", "pve2").with("online", "true");
    let start = Start::of_vm("pve1", 101, "migrate", "qmigrate", form);
    let error = double.token().start(&start).await.unwrap_err();
    insta::assert_snapshot!("parameters", error);
}

#[tokio::test]
async fn a_node_that_is_down_is_said() {
    let double = Double::start(World::cluster()).await;
    double.world().nodes.insert("pve3".to_owned(), false);
    let client = double.token();
    let error = client.node_status("pve3").await.unwrap_err();
    assert!(matches!(error.fault(), Fault::NodeDown { status: 595, .. }), "{error}");
    insta::assert_snapshot!("node_down", error);
    // One that is none is something else.
    let error = client.node_status("pve9").await.unwrap_err();
    assert!(matches!(error.fault(), Fault::NoNode { .. }), "{error}");
}

#[tokio::test]
async fn a_vm_that_has_gone_is_said() {
    let double = Double::start(World::cluster()).await;
    double.world().vm(101).unwrap().node = "pve2".to_owned();
    let client = double.token();
    let error = client.vm_status("pve1", 101).await.unwrap_err();
    insta::assert_snapshot!("vm_has_gone", error);
    assert_eq!(client.node_of(101).await.unwrap().as_deref(), Some("pve2"));
    assert_eq!(client.node_of(102).await.unwrap(), None);
}

#[tokio::test]
async fn no_quorum_is_said() {
    let double = Double::start(World::cluster()).await;
    double.world().quorate = false;
    let client = double.token();
    assert!(!client.cluster_status().await.unwrap().quorate);
    let error = client.start(&migration("pve2")).await.unwrap_err();
    insta::assert_snapshot!("no_quorum", error);
}

#[tokio::test]
async fn a_locked_vm_comes_with_the_way_back() {
    let double = Double::start(World::cluster()).await;
    double.world().vm(101).unwrap().lock = Some("migrate".to_owned());
    let error = double.token().start(&migration("pve2")).await.unwrap_err();
    insta::assert_snapshot!("locked", error);
    double.world().vm(101).unwrap().lock = Some("backup".to_owned());
    let error = double.token().start(&migration("pve2")).await.unwrap_err();
    assert!(error.to_string().contains("until its backup is done"), "{error}");
    // As root, the lock can be taken away.
    let unlock = Form::new().with("delete", "lock").with_flag("skiplock", true);
    double.root().put("/nodes/pve1/qemu/101/config", &unlock).await.unwrap();
    assert_eq!(double.world().vm(101).unwrap().lock, None);
}

#[tokio::test]
async fn a_configuration_in_use_is_waited_for_and_then_said() {
    let double = Double::start(World::cluster()).await;
    double.world().vm(101).unwrap().file_locked = true;
    let client = double.token();
    let error = client.start_or_done(&config("migrate_downtime", "0.5")).await.unwrap_err();
    insta::assert_snapshot!("in_use", error);
    // It becomes free while Proxmox waits.
    double.world().lock_wait = Duration::from_secs(60);
    let start = config("migrate_downtime", "0.5");
    let (set, ()) = tokio::join!(client.start_or_done(&start), async {
        lab::wait::until(Duration::from_millis(2), Duration::from_secs(20), async || {
            anyhow::ensure!(double.world().times("POST /nodes/pve1/qemu/101/config") >= 2);
            Ok(())
        })
        .await
        .unwrap();
        // Until the call waits, as nothing tells of that: freed again and again.
        double.unlock(101);
    });
    assert!(set.unwrap().is_some());
}

#[tokio::test]
async fn web_pages_and_nonsense_are_no_answers() {
    let page = "<!DOCTYPE html>\n<html><head><title>Bad Gateway</title></head></html>";
    for (name, reply) in [
        ("web_page", Reply::html(200, "OK", page)),
        ("bad_gateway", Reply::html(502, "Bad Gateway", page)),
        ("half_json", Reply { body: "{\"data\":".to_owned(), ..Reply::bare(200, "OK") }),
        ("no_data", Reply { body: "{\"ok\":1}".to_owned(), ..Reply::bare(200, "OK") }),
        ("nothing", Reply::bare(200, "OK")),
        ("other_type", Reply { body: "{\"data\":[]}".to_owned(), ..Reply::bare(200, "OK") }),
        ("plain_500", Reply::bare(500, "can't do that now")),
    ] {
        let double = Double::start(World::cluster()).await;
        double.world().fail("GET /version", Failure::Answer(reply));
        let error = double.token().release().await.unwrap_err();
        insta::assert_snapshot!(name, error);
        assert_eq!(double.world().times("GET /version"), 1, "{name}: not tried again");
    }
}

#[tokio::test]
async fn reads_survive_cuts() {
    let double = Double::start(World::cluster()).await;
    double.world().cut_handshakes = 2;
    let client = double.token();
    client.release().await.unwrap();
    for failure in [Failure::DropBefore, Failure::DropAfter, Failure::CutBody] {
        double.world().fail("GET /nodes", failure.clone());
        double.world().fail("GET /nodes", failure);
        client.nodes().await.unwrap();
    }
    assert_eq!(double.world().times("GET /nodes"), 9);
}

#[tokio::test]
async fn tls_that_is_cut_off_is_said() {
    let double = Double::start(World::cluster()).await;
    double.world().cut_handshakes = usize::MAX;
    let patience = Patience { retry: Duration::from_millis(300), ..Patience::default() };
    let client = double.client_with(double.token().credentials().clone(), patience);
    let error = client.release().await.unwrap_err();
    assert!(matches!(error.fault(), Fault::TlsCut { .. }), "{error}");
    assert!(double.world().asked.is_empty());
    // What speaks no TLS at all.
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = plain.local_addr().unwrap().port();
    let endpoint = lab::hypervisor::proxmox::Endpoint { port, ..double.endpoint() };
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            use tokio::io::AsyncWriteExt;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let credentials = double.token().credentials().clone();
    let settings = Settings { patience, ..Settings::new(vec![endpoint], credentials) };
    let error = Client::new(settings).unwrap().release().await.unwrap_err();
    serving.abort();
    assert!(matches!(error.fault(), Fault::TlsCut { .. }), "{error}");
    assert!(error.to_string().contains("is this the port"), "{error}");
}

#[tokio::test]
async fn no_answer_is_said() {
    let double = Double::start(World::cluster()).await;
    let second = Duration::from_secs(1);
    let patience = Patience { answer: second, retry: second * 3 / 2, ..Patience::default() };
    let credentials = double.token().credentials().clone();
    let client = double.client_with(credentials.clone(), patience);
    for _ in 0..4 {
        double.world().fail("GET /version", Failure::Hang);
    }
    let error = client.release().await.unwrap_err();
    assert!(matches!(error.fault(), Fault::TimedOut { .. }), "{error}");
    assert!(error.to_string().contains("gave no answer within 1 s"), "{error}");
    // Nobody is there.
    let endpoint = double.endpoint();
    drop(double);
    let nobody =
        Client::new(Settings { patience, ..Settings::new(vec![endpoint], credentials) }).unwrap();
    let error = nobody.release().await.unwrap_err();
    assert!(matches!(error.fault(), Fault::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("port 8006 open"), "{error}");
}

#[tokio::test]
async fn the_next_node_is_asked_when_one_is_gone() {
    let (gone, there) =
        (Double::start(World::cluster()).await, Double::start(World::cluster()).await);
    let endpoints = vec![gone.endpoint(), there.endpoint()];
    drop(gone);
    let client =
        Client::new(Settings::new(endpoints, there.token().credentials().clone())).unwrap();
    client.release().await.unwrap();
    client.nodes().await.unwrap();
    assert_eq!(there.world().asked.len(), 2);
}
