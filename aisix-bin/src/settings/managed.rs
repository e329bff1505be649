//! What a managed gateway is told; so far only what holds for every gateway with etcd.

use std::path::PathBuf;

use super::{block::Block, later::NOT_YET};

/// `managed`: a gateway of AISIX Cloud.
#[derive(Debug)]
pub(super) struct Managed {
    /// `managed.enabled`: whether it is one.
    pub(super) enabled: bool,
    /// `managed.snapshot_cache_path`: where the last known configuration is kept. Default: nowhere.
    pub(super) snapshot_cache_path: Option<PathBuf>,
}

// === impl Managed ===

impl Managed {
    pub(super) fn read(mut block: Block<'_>) -> Self {
        let enabled = block.get("enabled", false);
        if enabled {
            block.error("enabled", NOT_YET);
        }
        let path: Option<String> = block.find("snapshot_cache_path");
        block.accept(&[
            "cp_base_url",
            "cp_etcd_endpoint",
            "cp_cert_pem",
            "cp_key_pem",
            "cp_ca_pem",
            "cp_cert_file",
            "cp_key_file",
            "cp_ca_file",
            "cp_ca_cert_file",
            "mtls_dir",
            "dp_id_file",
            "heartbeat_interval_secs",
        ]);
        block.later("snapshot_cache_enabled");
        block.finish();
        Self {
            enabled,
            snapshot_cache_path: path.filter(|path| !path.is_empty()).map(PathBuf::from),
        }
    }
}
