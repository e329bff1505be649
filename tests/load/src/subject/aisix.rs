//! The gateway, with authentication, one rate limit, access log and metrics on, and what a measurement adds.

use super::{Site, free_ports};
use crate::process::{Process, pinned};
use crate::scenario::{CALLER_KEY, FOREIGN, MODELS};
use anyhow::{Result, ensure};
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

/// Where the gateway finds the caller's key.
const KEY_VARIABLE: &str = "LOAD_CALLER_KEY";

/// What tells one gateway from another.
#[derive(Default)]
pub(crate) struct Change {
    /// The name of its files.
    pub(crate) name: String,
    /// What its `config.yaml` has besides.
    pub(crate) configuration: String,
    /// Items that its list of provider keys has besides.
    pub(crate) provider_keys: String,
    /// What its `resources.yaml` has behind its list of models: more of these, or other lists.
    pub(crate) resources: String,
    /// Items that its list of API keys has besides.
    pub(crate) api_keys: String,
}

/// The caller's own key, and room for others.
const API_KEYS: &str = "api_keys:
  - display_name: load
    key_env: LOAD_CALLER_KEY
    allowed_models: [\"*\"]
    rate_limit: { rpm: 100000000, concurrency: 10000 }
";

/// Starts the gateway with configuration files of its own; its log, access log included, goes to a file.
pub(super) fn start(site: &Site<'_>, change: &Change) -> Result<(Process, SocketAddr)> {
    ensure!(
        site.aisix.exists(),
        "there is no program {}: build it, or say where it is with --aisix",
        site.aisix.display()
    );
    let [address, metrics] = free_ports()?;
    let name = |end: &str| site.folder.join(format!("aisix{}{end}", change.name));
    let resources_file = name("-resources.yaml");
    let resources = resources(site.upstream, &change.provider_keys)
        + &change.resources
        + API_KEYS
        + &change.api_keys;
    std::fs::write(&resources_file, resources)?;
    let file = name("-config.yaml");
    let configuration = configuration(&resources_file, address, metrics) + &change.configuration;
    std::fs::write(&file, configuration)?;
    let mut command = pinned(site.core, site.aisix);
    command.arg("--config").arg(&file);
    command.env(KEY_VARIABLE, CALLER_KEY);
    let process = Process::logged(command, &name(".log"))?;
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

fn resources(upstream: SocketAddr, provider_keys: &str) -> String {
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
{provider_keys}models:
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
