//! Blocks that a later version serves: switched off they are fine, switched on they are refused.

use super::block::Block;

pub(super) const NOT_YET: &str = "is not supported yet";

/// Reads the blocks.
pub(super) fn check(root: &mut Block<'_>) {
    let bedrock = "bedrock_endpoint_url";
    if root
        .find::<String>(bedrock)
        .is_some_and(|url| !url.is_empty())
    {
        root.no_effect_yet(bedrock);
    }
}

/// Reads an exporter of OpenTelemetry's protocol: switched off, so far.
pub(super) fn otlp(mut otlp: Block<'_>, others: &[&'static str]) {
    if otlp.get("enabled", false) {
        otlp.error("enabled", NOT_YET);
    }
    otlp.accept(others);
    otlp.finish();
}
