//! Being let in.

use crate::{
    pve::{Double, Failure, World},
    recorded::named,
};
use lab::hypervisor::proxmox::{Client, Credentials, Fault, Form, Secret, Settings};
use std::time::Duration;

#[tokio::test]
async fn a_ticket_is_got_once_for_all() {
    let double = Double::start(World::cluster()).await;
    let client = double.root();
    let (a, b, c) = tokio::join!(client.release(), client.nodes(), client.cluster_status());
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    client.put("/nodes/pve1/qemu/101/config", &Form::new().with("name", "x")).await.unwrap();
    let world = double.world();
    assert_eq!(world.times("POST /access/ticket"), 1);
    let reads = world.asked.iter().filter(|request| request.method == "GET");
    assert!(reads.clone().all(|request| request.header("csrfpreventiontoken").is_none()));
}

#[tokio::test]
async fn an_expired_ticket_is_renewed_and_nothing_is_done_twice() {
    let double = Double::start(World::cluster()).await;
    let client = double.root();
    client.release().await.unwrap();
    double.world().tickets.clear();
    client.release().await.unwrap();
    assert_eq!(double.world().times("POST /access/ticket"), 2);
    double.world().tickets.clear();
    let upid = client.start(&crate::migration("pve2")).await.unwrap();
    assert_eq!(upid.user(), "root@pam");
    assert_eq!(double.world().tasks.len(), 1);
}

#[tokio::test]
async fn an_old_ticket_is_the_password_for_the_next() {
    let double = Double::start(World::cluster()).await;
    let credentials = double.root().credentials().clone();
    let settings = Settings::new(vec![double.endpoint()], credentials);
    let client = Client::new(Settings { renew_after: Duration::ZERO, ..settings }).unwrap();
    client.release().await.unwrap();
    client.release().await.unwrap();
    // Unless it is too old: then the password is.
    double.world().tickets.clear();
    client.release().await.unwrap();
    let world = double.world();
    let logins = world.asked.iter().filter(|request| request.path == "/access/ticket");
    let by_ticket = logins.map(|r| r.parameter("password").unwrap().starts_with("PVE:root@pam:"));
    assert_eq!(by_ticket.collect::<Vec<_>>(), [false, true, true, false]);
}

#[tokio::test]
async fn a_wrong_password_is_said_once() {
    let double = Double::start(World::cluster()).await;
    let wrong = Credentials::password("root@pam", Secret::new("letmein")).unwrap();
    let error = double.client(wrong).release().await.unwrap_err();
    assert!(matches!(error.fault(), Fault::WrongPassword { .. }), "{error}");
    insta::assert_snapshot!("wrong_password", error);
    assert_eq!(double.world().times("POST /access/ticket"), 1);
    assert!(!format!("{error}{error:?}").contains("letmein"));
}

#[tokio::test]
async fn a_refused_token_is_said_once() {
    let double = Double::start(World::cluster()).await;
    let wrong = Credentials::token("lab@pve!harness", Secret::new("1234-secret")).unwrap();
    let client = double.client(wrong);
    let error = client.release().await.unwrap_err();
    insta::assert_snapshot!("wrong_token", error);
    assert_eq!(double.world().times("GET"), 1);
    assert!(!format!("{error}{error:?}{client:?}").contains("1234-secret"));
}

#[tokio::test]
async fn a_ticket_that_never_holds_is_said() {
    let double = Double::start(World::cluster()).await;
    let client = double.root();
    let refused = || Failure::Answer(crate::pve::Reply::bare(401, "Authentication failed!"));
    double.world().fail("GET /version", refused());
    double.world().fail("GET /version", refused());
    let error = client.release().await.unwrap_err();
    insta::assert_snapshot!("refused_ticket", error);
    assert_eq!(double.world().times("GET /version"), 2);
}

#[tokio::test]
async fn a_second_factor_is_said() {
    let double = Double::start(World::cluster()).await;
    let answer = serde_json::json!({"username": "root@pam", "ticket": "PVE:!tfa!x", "NeedTFA": 1});
    let answer = Failure::Answer(crate::pve::Reply::data(&answer));
    double.world().fail("POST /access/ticket", answer);
    let error = double.root().release().await.unwrap_err();
    assert!(matches!(error.fault(), Fault::SecondFactor { .. }), "{error}");
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let double = Double::start(World::cluster()).await;
    let client = double.root();
    client.release().await.unwrap();
    let shown = format!("{client:?} {:?}", client.credentials());
    let world = double.world();
    for secret in world.tickets.iter().flat_map(|(ticket, csrf)| [ticket.as_str(), csrf]) {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(!shown.contains("hunter2"), "{shown}");
}

/// As a real cluster answers it, without a quorum too.
#[tokio::test]
async fn recorded_logins_are_understood() {
    for name in ["access-ticket-ok", "noquorum.login"] {
        let double = Double::start(World::cluster()).await;
        let reply = named(name).reply;
        let data: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
        let text = |key: &str| data["data"][key].as_str().unwrap().to_owned();
        double.world().tickets.insert(text("ticket"), text("CSRFPreventionToken"));
        double.world().fail("POST /access/ticket", Failure::Answer(reply));
        double.root().start(&crate::migration("pve2")).await.unwrap();
    }
    for name in ["access-ticket-badpw", "access-ticket-badrealm", "access-ticket-norealm"] {
        let double = Double::start(World::cluster()).await;
        double.world().fail("POST /access/ticket", Failure::Answer(named(name).reply));
        let error = double.root().release().await.unwrap_err();
        assert!(matches!(error.fault(), Fault::WrongPassword { .. }), "{error}");
    }
}
