//! Blocks that a later version serves: switched off they are fine, switched on they are refused.

use super::block::Block;

const NOT_YET: &str = "is not supported yet";

/// Reads the blocks; gives the key that asks for another source of resources, if one does.
pub(super) fn check(root: &mut Block<'_>) -> Option<&'static str> {
    cache(root.block("cache"));
    let bedrock = "bedrock_endpoint_url";
    if root
        .find::<String>(bedrock)
        .is_some_and(|url| !url.is_empty())
    {
        root.no_effect_yet(bedrock);
    }
    managed(root.block("managed")).then_some("managed.enabled")
}

fn managed(mut managed: Block<'_>) -> bool {
    let enabled = managed.get("enabled", false);
    if enabled {
        managed.error("enabled", NOT_YET);
    }
    managed.accept(&[
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
        "snapshot_cache_path",
        "heartbeat_interval_secs",
    ]);
    managed.later("snapshot_cache_enabled");
    managed.finish();
    enabled
}

fn cache(mut cache: Block<'_>) {
    match cache.find::<String>("backend").as_deref() {
        None | Some("memory") => {}
        Some("redis") => cache.error("backend", "`redis` is not supported yet"),
        Some(_) => cache.error("backend", "must be `memory` or `redis`"),
    }
    if cache.take("redis").is_some() {
        cache.error("redis", NOT_YET);
    }
    cache.finish();
}

/// Reads an exporter of OpenTelemetry's protocol: switched off, so far.
pub(super) fn otlp(mut otlp: Block<'_>, others: &[&'static str]) {
    if otlp.get("enabled", false) {
        otlp.error("enabled", NOT_YET);
    }
    otlp.accept(others);
    otlp.finish();
}
