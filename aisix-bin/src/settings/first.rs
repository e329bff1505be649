//! Files of the first generation, with `deployment` and `server` or `listen` at the top, read as what they
//! are today.
//!
//! What such a file could not say is as it was then: there is no listener for metrics, and the process
//! does not wait before it stops. Variables override that, as they override the rest.

use std::net::SocketAddr;

use aisix_core::config::Secret;
use serde_json::{Map, Value, json};

use super::{
    block::{Block, Notes},
    later,
    proxy::ServerTls,
};

/// Keys at the top of such a file.
const TOP: [&str; 3] = ["deployment", "server", "listen"];

/// What keys are called today.
const TODAY: [(&str, &str); 12] = [
    ("deployment.etcd.host", "`etcd.endpoints`"),
    ("deployment.etcd.prefix", "`etcd.prefix`"),
    (
        "deployment.etcd.timeout",
        "`etcd.dial_timeout_ms` and `etcd.request_timeout_ms`, in milliseconds",
    ),
    ("deployment.etcd.user", "`etcd.user`"),
    (
        "deployment.etcd.password",
        "`etcd.password_env`, the name of the variable that holds it",
    ),
    (
        "deployment.admin.admin_key",
        "`admin.admin_keys`, a list of texts",
    ),
    ("deployment.admin.listen", "`admin.addr`"),
    ("listen", "`proxy.addr`"),
    ("server.proxy.listen", "`proxy.addr`"),
    ("server.proxy.tls", "`proxy.tls`, without `enabled`"),
    ("server.admin.listen", "`admin.addr`"),
    ("server.admin.tls", "`admin.tls`, without `enabled`"),
];

/// What a file comes to.
pub(super) struct Translated {
    /// The settings of today.
    pub(super) members: Map<String, Value>,
    /// The user of etcd and the password, which settings of today do not hold.
    pub(super) user: Option<(String, Secret)>,
}

/// Where and how to listen.
struct Listener {
    addr: Option<SocketAddr>,
    tls: Option<ServerTls>,
}

/// Whether a file is of the first generation.
pub(super) fn is_first(members: &Map<String, Value>) -> bool {
    TOP.iter().any(|key| members.contains_key(*key))
}

/// Translates a file; what is wrong is noted under the keys that it has.
pub(super) fn translate(
    mut members: Map<String, Value>,
    today: &[&str],
    notes: &Notes,
) -> Translated {
    refuse_mixed(&mut members, today, notes);
    let whole = Value::Object(members.clone());
    let mut root = Block::new("", members, notes);
    let listen = root.find::<SocketAddr>("listen");
    let mut deployment = root.block("deployment");
    let (etcd, user) = etcd(deployment.block("etcd"));
    let (keys, admin_listen) = administrators(deployment.block("admin"));
    deployment.finish();
    let mut server = root.block("server");
    let mut proxy = listener(server.block("proxy"));
    let mut admin = listener(server.block("admin"));
    server.finish();
    root.finish();
    for (listener, other, key, at) in [
        (&mut proxy, listen, "listen", "server.proxy.listen"),
        (
            &mut admin,
            admin_listen,
            "deployment.admin.listen",
            "server.admin.listen",
        ),
    ] {
        if other.is_some() && listener.addr.is_some() {
            notes.error(key, format!("is given besides `{at}`"));
        }
        listener.addr = listener.addr.or(other);
    }
    notes.warn(said(&whole, keys.is_empty()));
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("etcd", etcd);
    put("proxy", proxy.today("0.0.0.0:3000"));
    let mut admin = admin.today("127.0.0.1:3001");
    admin["enabled"] = (!keys.is_empty()).into();
    admin["admin_keys"] = keys.into();
    put("admin", admin);
    put("shutdown", json!({"min_drain_secs": 0}));
    let metrics = json!({"metrics": {"prometheus": {"enabled": false}}});
    put("observability", metrics);
    Translated { members, user }
}

/// Keys of today beside those of the first generation are a mistake.
fn refuse_mixed(members: &mut Map<String, Value>, today: &[&str], notes: &Notes) {
    let first = TOP.into_iter().find(|key| members.contains_key(*key));
    let first = first.unwrap_or("deployment");
    for key in today {
        if members.shift_remove(*key).is_some() {
            let message = format!(
                "is a key of today, and `{first}` one of the first generation: a file has either"
            );
            notes.error(key, message);
        }
    }
}

fn etcd(mut block: Block<'_>) -> (Value, Option<(String, Secret)>) {
    let hosts: Option<Vec<String>> = block.list("host");
    if hosts.as_ref().is_some_and(Vec::is_empty) {
        block.error("host", "must name at least one member");
    }
    let mut hosts = hosts.unwrap_or_else(|| vec!["http://127.0.0.1:2379".to_owned()]);
    for (index, host) in hosts.iter().enumerate() {
        if host.trim().is_empty() {
            block.element_error("host", index, "must not be empty");
        }
    }
    hosts.retain(|host| !host.trim().is_empty());
    let seconds = block.get("timeout", 5_u32);
    if seconds == 0 {
        block.error("timeout", "must be at least 1 second");
    }
    let millis = u64::from(seconds) * 1_000;
    let prefix = block.get("prefix", "/aisix".to_owned());
    let user = block.find::<String>("user");
    let password = block.find::<String>("password");
    for (given, other, name) in [(&user, &password, "password"), (&password, &user, "user")] {
        if given.is_some() && other.is_none() {
            block.error(name, "is required: a user and a password go together");
        }
    }
    block.finish();
    let etcd = json!({
        "endpoints": hosts,
        "prefix": prefix,
        "dial_timeout_ms": millis,
        "request_timeout_ms": millis,
    });
    (etcd, user.zip(password.map(Secret::new)))
}

/// Who may administer, and where in the earliest form.
fn administrators(mut block: Block<'_>) -> (Vec<String>, Option<SocketAddr>) {
    let mut keys = Vec::new();
    for mut entry in block.blocks("admin_key") {
        let key = entry.require::<String>("key");
        if key.as_deref().is_some_and(|key| key.trim().is_empty()) {
            entry.error("key", "must not be empty");
        } else {
            keys.extend(key);
        }
        entry.finish();
    }
    let listen = block.find("listen");
    block.finish();
    (keys, listen)
}

fn listener(mut block: Block<'_>) -> Listener {
    let addr = block.find("listen");
    let mut tls = block.block("tls");
    let is_enabled = tls.get("enabled", false);
    let tls = match is_enabled {
        true => {
            let (cert_file, key_file) = (tls.require("cert_file"), tls.require("key_file"));
            tls.finish();
            cert_file
                .zip(key_file)
                .map(|(cert_file, key_file)| ServerTls {
                    cert_file,
                    key_file,
                })
        }
        false => {
            tls.accept(&["cert_file", "key_file"]);
            tls.finish();
            None
        }
    };
    let mut cors = block.block("cors");
    if cors.get("enabled", false) {
        cors.error("enabled", later::NOT_YET);
    }
    cors.accept(&[
        "allowed_origins",
        "allowed_methods",
        "allowed_headers",
        "exposed_headers",
        "allow_credentials",
    ]);
    cors.finish();
    block.finish();
    Listener { addr, tls }
}

/// What is told at the start: the keys of the file, and what they are called today.
fn said(file: &Value, has_no_administrator: bool) -> String {
    let is_there = |path: &str| {
        let found = path
            .split('.')
            .try_fold(file, |value, name| value.get(name));
        found.is_some_and(|value| !value.is_null())
    };
    let names: Vec<String> = TODAY
        .iter()
        .filter(|(key, _)| is_there(key))
        .map(|(key, today)| format!("`{key}` is {today}"))
        .collect();
    let mut text = "this configuration is of the first generation".to_owned();
    if !names.is_empty() {
        text = format!("{text}; today {}", names.join(", "));
    }
    if has_no_administrator {
        text.push_str("; without `deployment.admin.admin_key` there is no admin listener");
    }
    text
}

// === impl Listener ===

impl Listener {
    fn today(&self, default: &str) -> Value {
        let addr = self
            .addr
            .map_or_else(|| default.to_owned(), |addr| addr.to_string());
        let mut block = json!({"addr": addr});
        if let Some(tls) = &self.tls {
            let (cert, key) = (tls.cert_file.display(), tls.key_file.display());
            block["tls"] = json!({"cert_file": cert.to_string(), "key_file": key.to_string()});
        }
        block
    }
}
