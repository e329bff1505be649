//! The gateway, with authentication, one rate limit, access log and metrics on.

use super::{Site, free_ports};
use crate::process::{Process, pinned};
use crate::scenario::{CALLER_KEY, FOREIGN, MODELS};
use anyhow::{Result, ensure};
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

/// Where the gateway finds the caller's key.
const KEY_VARIABLE: &str = "LOAD_CALLER_KEY";

/// Starts the gateway with configuration files of its own; its log, access log included, goes to a file.
pub(super) fn start(site: &Site<'_>) -> Result<(Process, SocketAddr)> {
    ensure!(
        site.aisix.exists(),
        "there is no program {}: build it, or say where it is with --aisix",
        site.aisix.display()
    );
    let [address, metrics] = free_ports()?;
    let resources_file = site.folder.join("resources.yaml");
    std::fs::write(&resources_file, resources(site.upstream))?;
    let file = site.folder.join("config.yaml");
    std::fs::write(&file, configuration(&resources_file, address, metrics))?;
    let mut command = pinned(site.core, site.aisix);
    command.arg("--config").arg(&file);
    command.env(KEY_VARIABLE, CALLER_KEY);
    let process = Process::logged(command, &site.folder.join("aisix.log"))?;
    Ok((process, address))
}

fn configuration(resources: &Path, address: SocketAddr, metrics: SocketAddr) -> String {
    format!(
        "resources_file: {}
proxy:
  addr: {address}
  workers: 1
admin:
  enabled: false
observability:
  access_log: true
  metrics:
    prometheus:
      addr: {metrics}
",
        resources.display()
    )
}

fn resources(upstream: SocketAddr) -> String {
    let mut text = format!(
        "_format_version: \"1\"
provider_keys:
  - display_name: mock
    provider: openai
    adapter: openai
    api_key: sk-upstream
    api_base: http://{upstream}/v1
  - display_name: anthropic
    provider: anthropic
    api_key: sk-upstream
    api_base: http://{upstream}
  - display_name: gemini
    provider: gemini
    api_key: sk-upstream
    api_base: http://{upstream}/v1beta
api_keys:
  - display_name: load
    key_env: {KEY_VARIABLE}
    allowed_models: [\"*\"]
    rate_limit: {{ rpm: 100000000, concurrency: 10000 }}
models:
"
    );
    let own = MODELS.map(|model| (model, model, "openai", "mock"));
    let foreign = FOREIGN.map(|(model, script, provider)| (model, script, provider, provider));
    for (model, script, provider, key) in own.into_iter().chain(foreign) {
        let entry = format_args!(
            "  - display_name: {model}
    provider: {provider}
    provider_key: {key}
    model_name: {script}
"
        );
        // Writing to a string cannot fail.
        let _ = text.write_fmt(entry);
    }
    text
}
