//! From the file and the environment to settings.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{
    Settings,
    admin::Admin,
    block::{Block, Notes},
    cache::Cache,
    downstream::Downstream,
    env,
    etcd::Etcd,
    file, first, later,
    managed::Managed,
    observability::Observability,
    problem::{SettingsError, Warning},
    proxy::Proxy,
    ratelimit::Ratelimit,
    shutdown::Shutdown,
    upstream::Upstream,
};

/// Keys at the top of a file.
const TOP: [&str; 13] = [
    "resources_file",
    "proxy",
    "observability",
    "upstream",
    "downstream",
    "shutdown",
    "ratelimit",
    "etcd",
    "data_dir",
    "admin",
    "cache",
    "managed",
    "bedrock_endpoint_url",
];

// === impl Settings ===

impl Settings {
    /// Reads settings: what a variable `AISIX_A__B` says, else the file, else the default.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the settings, or why the file cannot be read.
    pub(crate) fn load(
        path: &Path,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<(Self, Vec<Warning>), Vec<SettingsError>> {
        let members = file::read(path).map_err(|message| {
            vec![SettingsError::whole(format!(
                "{} {message}",
                path.display()
            ))]
        })?;
        if first::is_first(&members) {
            return read_first(members, variables);
        }
        read(members, variables, Source::Settings, Notes::default())
    }

    /// The settings without a file: only this machine can reach it. Variables override them.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the variables.
    pub(crate) fn local(
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<(Self, Vec<Warning>), Vec<SettingsError>> {
        read(local(), variables, Source::Settings, Notes::default())
    }

    /// The same for a quickstart, which has no administrators.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the variables.
    pub(crate) fn quickstart(
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<(Self, Vec<Warning>), Vec<SettingsError>> {
        read(local(), variables, Source::Memory, Notes::default())
    }
}

/// Where resources come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The settings say it.
    Settings,
    /// The process itself.
    Memory,
}

fn local() -> Map<String, Value> {
    let settings = json!({
            "proxy": {"addr": "127.0.0.1:3000"},
            "observability": {"metrics": {"prometheus": {"addr": "127.0.0.1:9090"}}},
            "shutdown": {"min_drain_secs": 0},
    });
    match settings {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Reads a file of the first generation.
fn read_first(
    members: Map<String, Value>,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<(Settings, Vec<Warning>), Vec<SettingsError>> {
    let notes = Notes::default();
    let first = first::translate(members, &TOP, &notes);
    let (mut settings, warnings) = read(first.members, variables, Source::Settings, notes)?;
    if let Some(etcd) = &mut settings.etcd {
        etcd.user = etcd.user.take().or(first.user);
    }
    Ok((settings, warnings))
}

fn read(
    mut members: Map<String, Value>,
    variables: impl Iterator<Item = (String, String)>,
    source: Source,
    mut notes: Notes,
) -> Result<(Settings, Vec<Warning>), Vec<SettingsError>> {
    env::merge(&mut members, variables, &mut notes);
    let settings = {
        let mut root = Block::new("", members, &notes);
        let resources_file = root.find::<PathBuf>("resources_file");
        let proxy = Proxy::read(root.block("proxy"));
        let observability = Observability::read(root.block("observability"));
        let upstream = Upstream::read(root.block("upstream"));
        let downstream = Downstream::read(root.block("downstream"));
        let shutdown = Shutdown::read(root.block("shutdown"));
        let cache = Cache::read(root.block("cache"));
        let ratelimit = Ratelimit::read(root.block("ratelimit"));
        let etcd = Etcd::read(root.block("etcd"));
        let managed = Managed::read(root.block("managed"));
        later::check(&mut root);
        let other = etcd.as_ref().map(|_| "etcd.endpoints");
        let other = other.or(managed.enabled.then_some("managed.enabled"));
        if let (Some(_), Some(other)) = (&resources_file, other) {
            let message = format!("and `{other}` exclude each other");
            root.error("resources_file", message);
        }
        if etcd.is_none() && managed.snapshot_cache_path.is_some() {
            notes.warn("`managed.snapshot_cache_path` is for resources in etcd, and has no effect");
        }
        let data_dir = root.get("data_dir", PathBuf::from("aisix-data"));
        // Whose keys nobody but the settings could know.
        let is_elsewhere =
            resources_file.is_some() || etcd.is_some() || notes.mentions("resources_file");
        let admin = Admin::read(root.block("admin"), is_elsewhere);
        root.finish();
        // An address that could not be read has left an error, so nobody sees what stands for it.
        proxy.map(|proxy| Settings {
            resources_file,
            etcd,
            snapshot_cache_path: managed.snapshot_cache_path,
            data_dir,
            admin: admin.filter(|_| source == Source::Settings),
            proxy,
            observability,
            upstream,
            downstream,
            cache,
            ratelimit,
            shutdown,
        })
    };
    let warnings = notes.into_result()?;
    settings
        .map(|settings| (settings, warnings))
        .ok_or_else(|| vec![SettingsError::whole("`proxy.addr` is required")])
}
