//! Stores that the settings name.

use aisix_core::config::store::StoreError;
use aisix_sources::etcd::{Etcd, Pem, Settings, Tls};

use crate::settings;

/// The etcd of the settings. Connects when it is used.
///
/// # Errors
///
/// When the settings cannot work.
pub(crate) fn etcd(etcd: &settings::Etcd) -> Result<Etcd, StoreError> {
    Etcd::new(Settings {
        endpoints: etcd.endpoints.clone(),
        prefix: etcd.prefix.clone(),
        env_id: etcd.env_id.clone(),
        user: etcd.user.clone(),
        tls: tls(etcd),
        connect_timeout: etcd.connect_timeout,
        request_timeout: etcd.request_timeout,
        ..Settings::default()
    })
}

/// The TLS of the settings towards etcd.
pub(crate) fn tls(etcd: &settings::Etcd) -> Option<Tls> {
    etcd.tls.clone().map(|tls| Tls {
        ca: Some(Pem::File(tls.ca_file)),
        client: Some((Pem::File(tls.cert_file), Pem::File(tls.key_file))),
        domain_name: tls.domain_name,
    })
}
