//! The explanation for people.

use std::{fmt, net::SocketAddr};

use serde_json::Value;

/// How many characters of a text are shown.
const MAX_TEXT: usize = 200;

/// An explanation in the form of the Admin API, and who gave it.
pub(super) struct Told {
    pub(super) explanation: Value,
    pub(super) place: Place,
}

/// Who explains.
pub(super) enum Place {
    /// The node at this URL.
    Node(String),
    /// This process, since nobody answers at the address, or there is none.
    Here(Option<SocketAddr>),
}

/// Lines under labels.
struct Page(String);

// === impl Told ===

impl Told {
    /// What a reader must know about the numbers.
    pub(super) fn note(&self) -> Option<String> {
        let Place::Here(addr) = &self.place else {
            return None;
        };
        let nobody = match addr {
            Some(addr) => format!("no node answers at {addr}"),
            None => "the settings have no admin listener".to_owned(),
        };
        Some(format!("{nobody}, so the limits are those of an idle one"))
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = &self.explanation;
        let mut page = Page(String::new());
        outcome(&mut page, told);
        match (&self.place, self.note()) {
            (Place::Node(url), _) => page.line("node", url),
            (Place::Here(_), note) => page.line("node", &note.unwrap_or_default()),
        }
        request(&mut page, &told["request"]);
        caller(&mut page, &told["caller"]);
        model(&mut page, &told["request"]["model"], &told["model"]);
        limits(&mut page, &told["limits"]);
        hooks(&mut page, &told["hooks"]);
        if let Some(text) = given(&told["embeds"]["text"]) {
            let start: String = text.chars().take(MAX_TEXT).collect();
            let model = show(&told["embeds"]["model"]);
            page.line("meaning", &format!("would ask {model} for it: {start}"));
        }
        for each in list(&told["targets"]) {
            target(&mut page, each);
        }
        f.write_str(&page.0)
    }
}

// === impl Page ===

impl Page {
    /// One line; an empty label goes on with what stood before.
    fn line(&mut self, label: &str, text: &str) {
        // Names may hold anything; a terminal obeys some of it.
        let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
        self.0.push_str(format!("{label:<9}{text}").trim_end());
        self.0.push('\n');
    }
}

fn outcome(page: &mut Page, told: &Value) {
    let outcome = &told["outcome"];
    if outcome["sent"] == Value::Bool(true) {
        let provider = &told["targets"][0]["provider"];
        page.line("outcome", &format!("would be sent to {}", show(provider)));
        return;
    }
    let [status, kind, stage] = ["status", "kind", "stage"].map(|name| show(&outcome[name]));
    page.line(
        "outcome",
        &format!("would be refused by {stage}: {status} {kind}"),
    );
    let code = given(&outcome["code"]).map(|code| format!(" ({code})"));
    page.line(
        "",
        &format!("{}{}", show(&outcome["message"]), code.unwrap_or_default()),
    );
    if let Some(seconds) = given(&outcome["retry_after_seconds"]) {
        page.line("", &format!("again in {seconds} s"));
    }
    if let Some(detail) = given(&outcome["detail"]) {
        page.line("", &format!("because {detail}"));
    }
}

fn request(page: &mut Page, request: &Value) {
    let operation = given(&request["operation"]).unwrap_or_else(|| "no operation".to_owned());
    let stream = if request["stream"] == Value::Bool(true) {
        ", streamed"
    } else {
        ""
    };
    let [path, body, client] = ["path", "body", "client"].map(|name| show(&request[name]));
    let text = format!("{path} ({operation}{stream}) from {client}, body {body}");
    page.line("request", &text);
}

fn caller(page: &mut Page, caller: &Value) {
    if caller.is_null() {
        page.line("key", "unknown");
        return;
    }
    let id = show(&caller["id"]);
    let mut text = match given(&caller["name"]) {
        Some(name) => format!("{name}, id {id}"),
        None => format!("id {id}"),
    };
    for (label, name) in [("team", "team_id"), ("user", "user_id")] {
        if let Some(value) = given(&caller[name]) {
            text += &format!(", {label} {value}");
        }
    }
    text += &match given(&caller["expires_at"]) {
        Some(end) => format!(", expires {end}"),
        None => ", never expires".to_owned(),
    };
    if caller["disabled"] == Value::Bool(true) {
        text += ", disabled";
    }
    page.line("key", &text);
}

fn model(page: &mut Page, requested: &Value, model: &Value) {
    if model.is_null() {
        page.line(
            "model",
            &format!("{}: not found, or not looked for", show(requested)),
        );
        return;
    }
    let [name, id, found_by] = ["name", "id", "found_by"].map(|name| show(&model[name]));
    let requested = show(requested);
    page.line(
        "model",
        &format!("{requested}: {name}, id {id}, found by {found_by}"),
    );
    let allowed = match given(&model["allowed_by"]) {
        Some(pattern) => format!("allowed by {pattern}"),
        None => "not allowed to this key".to_owned(),
    };
    let networks: Vec<_> = list(&model["networks"]).map(show).collect();
    let networks = networks.join(", ");
    let admits = model["admits_client"] == Value::Bool(true);
    let place = match (model["networks"].is_null(), admits) {
        (true, _) => "from anywhere".to_owned(),
        (false, true) => format!("from {networks}"),
        (false, false) => format!("from {networks} only"),
    };
    page.line("", &format!("{allowed}, {place}"));
}

fn limits(page: &mut Page, limits: &Value) {
    if limits.is_null() {
        page.line("limits", "not reached");
        return;
    }
    if list(&limits["list"]).next().is_none() {
        page.line("limits", "none");
    } else {
        let tokens = show(&limits["estimated_tokens"]);
        page.line("limits", &format!("for about {tokens} tokens"));
    }
    for limit in list(&limits["list"]) {
        let of = match limit["of"].as_str() {
            Some("api_key") => "the key".to_owned(),
            Some("policy") => policy(&limit["policy"]),
            other => format!("the {}", other.unwrap_or_default()),
        };
        for rate in list(&limit["rates"]) {
            let name = show(&rate["rate"]);
            page.line("", &format!("{name} of {of}: {}", level(rate)));
        }
    }
    for suspended in list(&limits["suspended"]) {
        page.line("", &format!("{}: suspended now", policy(suspended)));
    }
}

fn policy(policy: &Value) -> String {
    let [name, id] = ["name", "id"].map(|member| show(&policy[member]));
    format!("policy {name}, id {id}")
}

fn level(rate: &Value) -> String {
    let [limit, used, remaining] = ["limit", "used", "remaining"].map(|name| show(&rate[name]));
    if rate["used"].is_null() {
        return format!("at most {limit}; what is used is not known");
    }
    let reserved = given(&rate["reserved"]).filter(|reserved| reserved != "0");
    let reserved = reserved.map(|reserved| format!(", {reserved} reserved"));
    let reset = given(&rate["reset_seconds"]).map(|seconds| format!(", anew in {seconds} s"));
    let full = if rate["passes"] == Value::Bool(false) {
        ": no room"
    } else {
        ""
    };
    format!(
        "{used} of {limit} used{}, {remaining} left{}{full}",
        reserved.unwrap_or_default(),
        reset.unwrap_or_default()
    )
}

fn hooks(page: &mut Page, hooks: &Value) {
    let names: Vec<_> = list(&hooks["names"]).map(show).collect();
    match names.as_slice() {
        [] => page.line("hooks", "none"),
        names => page.line("hooks", &format!("{} (not run)", names.join(", "))),
    }
}

fn target(page: &mut Page, target: &Value) {
    let names = ["model", "provider", "upstream_model"];
    let [name, provider, model] = names.map(|name| show(&target[name]));
    let key = &target["provider_key"];
    let key = match given(&key["id"]).filter(|id| !id.is_empty()) {
        Some(id) => format!("by key {}, id {id}", show(&key["name"])),
        None => "without a key".to_owned(),
    };
    let role = given(&target["role"]).unwrap_or_else(|| "target".to_owned());
    page.line(&role, &format!("{name} at {provider} as {model}, {key}"));
    if let Some(reason) = given(&target["reason"]) {
        page.line("", &reason);
    }
    if let Some(replica) = given(&target["replica"]) {
        page.line("", &format!("at the replica {replica}"));
    }
    if let upstream @ Value::Object(_) = &target["upstream"] {
        sent(page, target, upstream);
    }
    let deadlines = target["deadlines_ms"].as_object().into_iter().flatten();
    let deadlines = deadlines.filter_map(|(name, millis)| {
        let seconds = millis.as_f64()? / 1_000.0;
        Some(format!("{} {seconds} s", name.replace('_', " ")))
    });
    let mut facts: Vec<_> = deadlines.collect();
    facts.push(format!("{} retries", show(&target["retries"])));
    page.line("", &facts.join(", "));
    if target["continues"] == Value::Bool(true) {
        page.line("", "goes on with the text of a stream that has broken");
    }
}

fn sent(page: &mut Page, target: &Value, upstream: &Value) {
    let [url, fidelity] = ["url", "fidelity"].map(|name| show(&upstream[name]));
    let dialect = show(&target["dialect"]);
    let place = if upstream["own_transport"] == Value::Bool(true) {
        " in this process"
    } else {
        ""
    };
    page.line(
        "",
        &format!("POST {url}{place}, {fidelity}, in the dialect {dialect}"),
    );
    for name in ["edited", "dropped", "headers"] {
        let names: Vec<_> = list(&upstream[name]).map(show).collect();
        if !names.is_empty() {
            page.line("", &format!("{name}: {}", names.join(", ")));
        }
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A text or number; `None` for `null`.
fn given(value: &Value) -> Option<String> {
    (!value.is_null()).then(|| show(value))
}

fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}
