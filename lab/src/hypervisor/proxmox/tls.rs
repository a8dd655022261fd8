//! TLS as rustls does it, with ring: certificates are always judged.

use super::{endpoint::Trust, fingerprint::Fingerprint};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use std::{fmt, sync::Arc};

/// What rustls connects with.
///
/// # Errors
/// An authority that holds no certificate, in words.
pub(super) fn config(trust: &Trust) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    let config = match trust {
        Trust::Authority(pem) => builder.with_root_certificates(roots(pem)?).with_no_client_auth(),
        Trust::Fingerprint(pinned) => {
            let verifier = Arc::new(Pinned { pinned: *pinned, provider });
            // rustls calls any verifier but its own dangerous; this one takes a single certificate.
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        }
    };
    Ok(config)
}

fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|e| format!("the authority is no PEM: {e}"))?;
        roots.add(certificate).map_err(|e| format!("the authority's certificate: {e}"))?;
    }
    if roots.is_empty() {
        return Err("the authority's file has no certificate in it".to_owned());
    }
    Ok(roots)
}

/// Takes one certificate. The name in it and who signed it do not matter, but whoever shows it
/// must have its key.
#[derive(Debug)]
struct Pinned {
    pinned: Fingerprint,
    provider: Arc<CryptoProvider>,
}

/// Another certificate than the pinned one.
#[derive(Debug)]
pub(super) struct Changed {
    pub(super) pinned: Fingerprint,
    pub(super) found: Fingerprint,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the certificate is {}, not {}", self.found, self.pinned)
    }
}

impl std::error::Error for Changed {}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let (pinned, found) = (self.pinned, Fingerprint::of(end_entity));
        if found == pinned {
            return Ok(ServerCertVerified::assertion());
        }
        let changed = OtherError(Arc::new(Changed { pinned, found }));
        Err(rustls::Error::InvalidCertificate(CertificateError::Other(changed)))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
