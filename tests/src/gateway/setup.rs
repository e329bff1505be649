//! The configuration that a test gives the binary, as documents of the public contract.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::upstream::{self, Flavour, Upstream};

/// The credential of the caller that every setup defines.
pub const KEY: &str = "sk-caller-0123456789";

/// The credential of the administrator that [`Setup::embedded`] defines.
pub const ADMIN_KEY: &str = "admin-0123456789";

/// `config.yaml` and `resources.yaml` of one gateway.
///
/// To begin with: free ports on 127.0.0.1, no admin listener, no drain, and one caller, [`KEY`], who
/// may use every model.
#[derive(Clone, Debug)]
pub struct Setup {
    pub(super) config: Value,
    pub(super) resources: Value,
    pub(super) env: Vec<(String, String)>,
    /// What a shell does before it becomes the gateway.
    pub(super) before: Option<&'static str>,
    provider: &'static str,
    from_file: bool,
}

impl Setup {
    /// The setup described above.
    #[must_use]
    pub fn new() -> Self {
        let config = json!({
            "proxy": {"addr": "127.0.0.1:0"},
            "admin": {"enabled": false},
            "observability": {"metrics": {"prometheus": {"addr": "127.0.0.1:0"}}},
            "shutdown": {"min_drain_secs": 0},
        });
        let resources =
            json!({"_format_version": "1", "provider_keys": [], "models": [], "api_keys": []});
        Self {
            config,
            resources,
            env: Vec::new(),
            before: None,
            provider: "openai",
            from_file: true,
        }
        .key("caller", KEY, json!({"allowed_models": ["*"]}))
    }

    /// No resources file: an empty embedded store in the gateway's directory, and an admin listener with
    /// [`ADMIN_KEY`] on a free port.
    #[must_use]
    pub fn embedded() -> Self {
        let admin = json!({"enabled": true, "addr": "127.0.0.1:0", "admin_keys": [ADMIN_KEY]});
        let setup = Self::new().config(json!({ "admin": admin }));
        Self {
            from_file: false,
            ..setup
        }
    }

    /// Adds this upstream as the provider key `upstream`, which models added later use.
    #[must_use]
    pub fn provider(self, upstream: &Upstream) -> Self {
        let (provider, members) = match upstream.flavour() {
            Flavour::OpenAi => ("openai", json!({})),
            Flavour::DeepSeek => ("deepseek", json!({})),
            Flavour::Anthropic => ("anthropic", json!({})),
            Flavour::Gemini => ("gemini", json!({})),
            Flavour::GeminiFront => ("gemini", json!({"adapter": "openai"})),
        };
        let at = json!({"api_base": upstream.base_url(), "api_key": upstream::KEY});
        self.provider_named(provider, merged(at, members))
    }

    /// Adds the provider key `upstream` with these members, which models added later use.
    #[must_use]
    pub fn provider_named(mut self, provider: &'static str, members: Value) -> Self {
        self.provider = provider;
        let key = json!({"display_name": "upstream", "provider": provider});
        self.entry("provider_keys", merged(key, members))
    }

    /// Adds models that the provider knows under the same names.
    #[must_use]
    pub fn models<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Self {
        names.into_iter().fold(self, |setup, name| {
            setup.model(name, json!({"model_name": name}))
        })
    }

    /// Adds a model at the provider `upstream` with these members besides, `model_name` among them.
    #[must_use]
    pub fn model(self, name: &str, members: Value) -> Self {
        let model =
            json!({"display_name": name, "provider": self.provider, "provider_key": "upstream"});
        self.entry("models", merged(model, members))
    }

    /// Adds a caller with this credential and these members besides, `allowed_models` among them.
    #[must_use]
    pub fn key(self, name: &str, credential: &str, members: Value) -> Self {
        let hash = hex::encode(Sha256::digest(credential));
        self.entry(
            "api_keys",
            merged(json!({"display_name": name, "key_hash": hash}), members),
        )
    }

    /// Adds an entry of any kind to the resources.
    #[must_use]
    pub fn entry(mut self, kind: &str, entry: Value) -> Self {
        match &mut self.resources[kind] {
            Value::Array(entries) => entries.push(entry),
            absent => *absent = json!([entry]),
        }
        self
    }

    /// Merges these members into the bootstrap configuration.
    #[must_use]
    pub fn config(mut self, members: Value) -> Self {
        self.config = merged(self.config, members);
        self
    }

    /// The text of `resources.yaml`.
    #[must_use]
    pub fn resources(&self) -> String {
        // Every JSON document is YAML.
        format!("{:#}\n", self.resources)
    }

    /// Writes both files into a directory and says where `config.yaml` is.
    pub(super) fn write(&self, directory: &Path) -> PathBuf {
        let resources = directory.join("resources.yaml");
        let config = directory.join("config.yaml");
        let named = match self.from_file {
            true => json!({"resources_file": resources.display().to_string()}),
            false => json!({}),
        };
        let bootstrap = merged(self.config.clone(), named);
        fs::write(&resources, self.resources()).expect("the directory is writable");
        fs::write(&config, format!("{bootstrap:#}\n")).expect("the directory is writable");
        config
    }

    /// Has a shell do this before it becomes the gateway, for instance set limits.
    #[must_use]
    pub fn after(mut self, script: &'static str) -> Self {
        self.before = Some(script);
        self
    }

    /// Sets an environment variable of the process, which has none besides `PATH`.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

fn merged(base: Value, members: Value) -> Value {
    match (base, members) {
        (Value::Object(mut base), Value::Object(members)) => {
            for (name, value) in members {
                let old = base.remove(&name).unwrap_or_default();
                base.insert(name, merged(old, value));
            }
            Value::Object(base)
        }
        (_, members) => members,
    }
}
