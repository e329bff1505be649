//! TLS, certificates on both sides, users.

use std::{
    fs,
    path::{Path, PathBuf},
    pin::pin,
    sync::Once,
};

use aisix_core::config::{ConfigStore, Secret};
use aisix_sources::etcd::{Etcd, Pem, Tls};
use etcd_client::{
    Certificate as ClientCertificate, Identity, Permission, PermissionType, TlsOptions,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::{cluster::Cluster, etcd, next, next_error, settings, told};

/// Who signs certificates, and one that it has signed: for servers and clients, on 127.0.0.1.
pub(crate) struct Authority {
    ca: String,
    certificate: String,
    key: String,
}

// === impl Authority ===

impl Authority {
    pub(crate) fn new() -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            let provider = rustls::crypto::aws_lc_rs::default_provider();
            provider.install_default().expect("nobody else did");
        });
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        Self {
            ca: issuer.pem(),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// Puts files into a directory: authority, certificate, key.
    pub(crate) fn write(&self, directory: &Path) -> (PathBuf, PathBuf, PathBuf) {
        let put = |name: &str, text: &str| {
            let file = directory.join(name);
            fs::write(&file, text).unwrap();
            file
        };
        (
            put("ca.pem", &self.ca),
            put("certificate.pem", &self.certificate),
            put("key.pem", &self.key),
        )
    }

    /// What a client of the test's own is told.
    pub(crate) fn options(&self) -> TlsOptions {
        TlsOptions::new()
            .ca_certificate(ClientCertificate::from_pem(&self.ca))
            .identity(Identity::from_pem(&self.certificate, &self.key))
    }
}

fn bytes(text: &str) -> Pem {
    Pem::Bytes(text.as_bytes().to_vec())
}

#[tokio::test]
async fn certificates_are_shown_on_both_sides() {
    let authority = Authority::new();
    let cluster = Cluster::start(3, Some(&authority), &[]).await;
    let mut client = cluster.client().await;
    client.put("/aisix/api_keys/a", "{}", None).await.unwrap();

    let mut settings = settings(cluster.endpoints());
    let directory = cluster.directory();
    settings.tls = Some(Tls {
        ca: Some(Pem::File(directory.join("ca.pem"))),
        client: Some((
            Pem::File(directory.join("certificate.pem")),
            Pem::File(directory.join("key.pem")),
        )),
        domain_name: None,
    });
    let from_files = Etcd::new(settings.clone()).unwrap();
    assert_eq!(
        told(&next(pin!(from_files.changes())).await),
        "= api_keys/a"
    );

    let client = (bytes(&authority.certificate), bytes(&authority.key));
    settings.tls = Some(Tls {
        ca: Some(bytes(&authority.ca)),
        client: Some(client.clone()),
        domain_name: Some("127.0.0.1".to_owned()),
    });
    let from_bytes = Etcd::new(settings.clone()).unwrap();
    assert_eq!(from_bytes.list(None).await.unwrap().entries.len(), 1);

    for tls in [
        // We show nothing; we believe nobody; we expect somebody else.
        Tls {
            ca: Some(bytes(&authority.ca)),
            ..Tls::default()
        },
        Tls {
            ca: Some(bytes(&Authority::new().ca)),
            client: Some(client.clone()),
            domain_name: None,
        },
        Tls {
            ca: Some(bytes(&authority.ca)),
            client: Some(client.clone()),
            domain_name: Some("etcd.example".to_owned()),
        },
    ] {
        settings.tls = Some(tls);
        let etcd = Etcd::new(settings.clone()).unwrap();
        let said = next_error(pin!(etcd.changes())).await;
        assert!(said.contains("trying again"), "{said}");
        assert!(etcd.list(None).await.is_err());
    }
}

#[tokio::test]
async fn users_see_what_they_may() {
    let cluster = Cluster::one().await;
    let mut client = cluster.client().await;
    client.put("/aisix/api_keys/a", "{}", None).await.unwrap();
    client.user_add("root", "r", None).await.unwrap();
    client.user_grant_role("root", "root").await.unwrap();
    client.user_add("aisix", "secret", None).await.unwrap();
    client.role_add("reader").await.unwrap();
    let all = Permission::new(PermissionType::Read, "/aisix/").with_prefix();
    client.role_grant_permission("reader", all).await.unwrap();
    client.user_grant_role("aisix", "reader").await.unwrap();
    client.auth_enable().await.unwrap();

    let mut settings = settings(cluster.endpoints());
    settings.user = Some(("aisix".to_owned(), Secret::new("secret")));
    let reader = Etcd::new(settings.clone()).unwrap();
    assert_eq!(told(&next(pin!(reader.changes())).await), "= api_keys/a");
    let said = reader.revision().await.unwrap_err().to_string();
    assert!(said.contains("permission denied"), "{said}");

    settings.user = Some(("aisix".to_owned(), Secret::new("wrong")));
    let stranger = Etcd::new(settings).unwrap();
    let said = next_error(pin!(stranger.changes())).await;
    assert!(said.contains("authentication failed"), "{said}");
    assert!(!said.contains("wrong"), "{said}");

    let nobody = etcd(cluster.endpoints());
    let said = next_error(pin!(nobody.changes())).await;
    assert!(said.contains("user name is empty"), "{said}");
}
