//! A server that is reached over TLS only, with a certificate authority of its own, and wants to know its clients.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tenure::store::{RedisStore, SessionStore, SetupErrorKind};
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::{
    HANDLE, HOUR,
    bed::{
        folder::Folder,
        redis::{Redis, node::own},
    },
    record,
};

/// Who signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = &mut params.distinguished_name;
        name.push(DnType::CommonName, "an authority");
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// Makes a certificate and its key, as PEM.
    fn certify(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Trusts this authority, and shows a certificate of its.
    fn client(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let (certificate, key) = self.certify("app");
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        ClientConfig::builder()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![certificate], key)
            .unwrap()
    }

    /// Starts a server with a certificate of this authority; its port speaks TLS beside the one that does not.
    fn server(&self) -> (Redis, String, Folder) {
        let folder = Folder::new("tls");
        own(folder.path());
        let (certificate, key) = self.certify("localhost");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            own(&path);
            path.display().to_string()
        };
        let port = super::bed::redis::node::free_ports(1)[0];
        let server = Redis::start_with(&[
            &format!("tls-port {port}"),
            &format!("tls-cert-file {}", file("certificate", &certificate)),
            &format!("tls-key-file {}", file("key", &key)),
            &format!("tls-ca-cert-file {}", file("authority", &self.0.pem())),
        ]);
        (server, format!("rediss://localhost:{port}"), folder)
    }
}

#[tokio::test]
async fn a_server_is_reached_over_tls_and_knows_its_client() {
    let authority = Authority::new();
    let (_server, url, _folder) = authority.server();
    let builder = RedisStore::builder(&url)
        .unwrap()
        .with_tls(authority.client());
    let store = builder.connect().await.unwrap();
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    assert_eq!(
        store.load(&HANDLE).await.unwrap().unwrap().record,
        record(1)
    );
}

#[tokio::test]
async fn a_server_of_an_authority_that_is_not_trusted_is_refused() {
    let (_server, url, _folder) = Authority::new().server();
    let strangers = RedisStore::builder(&url)
        .unwrap()
        .with_tls(Authority::new().client());
    for builder in [strangers, RedisStore::builder(&url).unwrap()] {
        let error = builder.connect().await.unwrap_err();
        assert_eq!(error.kind(), SetupErrorKind::Unreachable);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("certificate"), "{cause}");
    }
}
