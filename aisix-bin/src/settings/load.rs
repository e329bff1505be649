//! From the file and the environment to settings.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{
    Settings,
    admin::Admin,
    block::{Block, Notes},
    downstream::Downstream,
    env,
    etcd::Etcd,
    file, later,
    observability::Observability,
    problem::{SettingsError, Warning},
    proxy::Proxy,
    ratelimit::Ratelimit,
    shutdown::Shutdown,
    upstream::Upstream,
};

/// Keys at the top of a file of the first generation.
const FIRST_GENERATION: [&str; 2] = ["deployment", "server"];

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
        if let Some(key) = FIRST_GENERATION
            .iter()
            .find(|key| members.contains_key(**key))
        {
            return Err(vec![SettingsError {
                key: (*key).to_owned(),
                variable: None,
                message: "belongs to a configuration of the first generation, which is not \
                          supported yet"
                    .to_owned(),
            }]);
        }
        read(members, variables, Source::Settings)
    }

    /// The settings without a file: only this machine can reach it. Variables override them.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the variables.
    pub(crate) fn local(
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<(Self, Vec<Warning>), Vec<SettingsError>> {
        read(local(), variables, Source::Settings)
    }

    /// The same for a quickstart, which has no administrators.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the variables.
    pub(crate) fn quickstart(
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<(Self, Vec<Warning>), Vec<SettingsError>> {
        read(local(), variables, Source::Memory)
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

fn read(
    mut members: Map<String, Value>,
    variables: impl Iterator<Item = (String, String)>,
    source: Source,
) -> Result<(Settings, Vec<Warning>), Vec<SettingsError>> {
    let mut notes = Notes::default();
    env::merge(&mut members, variables, &mut notes);
    let settings = {
        let mut root = Block::new("", members, &notes);
        let resources_file = root.find::<PathBuf>("resources_file");
        let proxy = Proxy::read(root.block("proxy"));
        let observability = Observability::read(root.block("observability"));
        let upstream = Upstream::read(root.block("upstream"));
        let downstream = Downstream::read(root.block("downstream"));
        let shutdown = Shutdown::read(root.block("shutdown"));
        let ratelimit = Ratelimit::read(root.block("ratelimit"));
        let etcd = Etcd::read(root.block("etcd"));
        let managed = later::check(&mut root);
        let other = etcd.as_ref().map(|_| "etcd.endpoints").or(managed);
        if let (Some(_), Some(other)) = (&resources_file, other) {
            let message = format!("and `{other}` exclude each other");
            root.error("resources_file", message);
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
            data_dir,
            admin: admin.filter(|_| source == Source::Settings),
            proxy,
            observability,
            upstream,
            downstream,
            ratelimit,
            shutdown,
        })
    };
    let warnings = notes.into_result()?;
    settings
        .map(|settings| (settings, warnings))
        .ok_or_else(|| vec![SettingsError::whole("`proxy.addr` is required")])
}
