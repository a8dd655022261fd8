//! An authority and a node's certificate, made anew for each double.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::sync::Arc;

/// What a cluster has.
pub struct Certificates {
    /// As `/etc/pve/pve-root-ca.pem`.
    pub authority: String,
    /// The node's, which is for `pve1` and no other name.
    pub node: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Certificates {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = params.self_signed(&key).expect("signed").pem();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().expect("a key");
        let node = CertificateParams::new(vec!["pve1".to_owned()]).expect("parameters");
        let node = node.signed_by(&key, &issuer).expect("signed").der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Self { authority, node, key }
    }

    /// What the server serves with. `stolen`: it shows this certificate without having its key.
    pub fn server(&self, stolen: bool) -> ServerConfig {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth();
        if !stolen {
            let chain = vec![self.node.clone()];
            return builder.with_single_cert(chain, self.key.clone_key()).expect("a pair");
        }
        let other = KeyPair::generate().expect("a key");
        let other = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(other.serialize_der()));
        let key = provider.key_provider.load_private_key(other).expect("a key");
        let pair = Arc::new(CertifiedKey::new(vec![self.node.clone()], key));
        builder.with_cert_resolver(Arc::new(Stolen(pair)))
    }
}

/// Serves a certificate whoever asks, without looking whether the key is its.
#[derive(Debug)]
struct Stolen(Arc<CertifiedKey>);

impl ResolvesServerCert for Stolen {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}
