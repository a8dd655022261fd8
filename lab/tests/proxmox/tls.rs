//! Who is talked with.

use crate::pve::Certificates;
use crate::pve::{Double, World};
use lab::hypervisor::proxmox::{
    Client, Credentials, Endpoint, Fault, Fingerprint, Secret, Settings, Trust,
};

async fn ask(endpoint: Endpoint) -> Result<(), lab::hypervisor::proxmox::Error> {
    let token =
        Credentials::token("lab@pve!harness", Secret::new("0f0f0f0f-1111-2222-3333-444444444444"));
    let client = Client::new(Settings::new(vec![endpoint], token.expect("as recorded")))?;
    client.release().await.map(drop)
}

#[tokio::test]
async fn an_authority_or_a_fingerprint_is_enough() {
    let double = Double::start(World::cluster()).await;
    ask(double.endpoint()).await.unwrap();
    let pinned = double.endpoint_by(Trust::Fingerprint(double.fingerprint()));
    ask(pinned.clone()).await.unwrap();
    // What is pinned needs no name.
    ask(Endpoint { host: "127.0.0.1".to_owned(), address: None, ..pinned }).await.unwrap();
}

#[tokio::test]
async fn another_certificate_is_refused_at_once() {
    let double = Double::start(World::cluster()).await;
    let other: Fingerprint = Fingerprint::of(b"another");
    let error = ask(double.endpoint_by(Trust::Fingerprint(other))).await.unwrap_err();
    let Fault::Fingerprint { pinned, found, .. } = error.fault() else { panic!("{error}") };
    assert_eq!((*pinned, *found), (other, double.fingerprint()));
    let text = error.to_string();
    assert!(
        text.contains(&double.fingerprint().to_string()) && text.contains("hint: another machine"),
        "{text}"
    );
    assert!(double.world().asked.is_empty());
}

#[tokio::test]
async fn the_certificate_alone_is_not_enough() {
    let double = Double::with_stolen_certificate().await;
    for trust in [
        Trust::Fingerprint(double.fingerprint()),
        Trust::Authority(double.certificates.authority.clone().into_bytes()),
    ] {
        let error = ask(double.endpoint_by(trust)).await.unwrap_err();
        assert!(matches!(error.fault(), Fault::Certificate { .. }), "{error}");
        assert!(double.world().asked.is_empty());
    }
}

#[tokio::test]
async fn another_authority_or_name_is_refused() {
    let double = Double::start(World::cluster()).await;
    let other = Certificates::new().authority.into_bytes();
    let wrong_name = Endpoint { host: "pve2".to_owned(), ..double.endpoint() };
    for endpoint in [double.endpoint_by(Trust::Authority(other)), wrong_name] {
        let error = ask(endpoint).await.unwrap_err();
        assert!(matches!(error.fault(), Fault::Certificate { .. }), "{error}");
        assert!(error.to_string().contains("pve-root-ca.pem"), "{error}");
    }
    for nothing in
        ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    {
        let error = ask(double.endpoint_by(Trust::Authority(nothing.into()))).await.unwrap_err();
        assert!(matches!(error.fault(), Fault::Settings { .. }), "{error}");
    }
}
