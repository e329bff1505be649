//! What somebody at the terminal is told at the start.

use crate::{assemble::Started, settings::Settings};

/// Tells a made-up admin key, and where everything is if nobody has said so in a file.
#[expect(clippy::print_stdout, reason = "the person at the terminal reads it")]
pub(super) fn print(settings: &Settings, started: &Started, is_local: bool) {
    if !is_local && started.admin_key.is_none() {
        return;
    }
    let proxy = started.proxy;
    println!("\nAISIX is up at http://{proxy}/v1.\n");
    if let Some(admin) = started.admin {
        println!("  admin      http://{admin}/aisix/admin, described at http://{admin}/openapi");
    }
    if let Some(metrics) = started.metrics {
        println!("  metrics    http://{metrics}/metrics");
    }
    if settings.resources_file.is_none() {
        println!("  data       {}", settings.data_dir.display());
    }
    if let (Some(admin), Some(key)) = (started.admin, &started.admin_key) {
        println!("  admin key  {}", key.expose());
        println!("\nThe admin key is told only now. Make a model and a key for callers with it:\n");
        for (kind, document) in [
            (
                "models",
                r#"{"name": "mock", "model": "mock/mock", "provider_config": {"api_key": "none"}}"#,
            ),
            ("api_keys", r#"{"allowed_models": ["*"]}"#),
        ] {
            println!(
                "  curl http://{admin}/aisix/admin/{kind} \\\n    -H \"Authorization: Bearer {}\" -H \"Content-Type: application/json\" \\\n    -d '{document}'\n",
                key.expose()
            );
        }
    }
}
