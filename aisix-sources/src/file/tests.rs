use std::{collections::HashMap, fs, path::PathBuf, time::Duration};

use aisix_core::config::{Change, Entry, resource::Kind};
use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use super::*;

fn no_env(_: &str) -> Option<String> {
    None
}

fn env(name: &str) -> Option<String> {
    let known: HashMap<_, _> = [
        ("OPENAI_API_KEY", "sk-hidden"),
        ("CALLER", "abc"),
        ("RAW", "x${CALLER}"),
        ("EMPTY", ""),
    ]
    .into();
    known.get(name).map(|value| (*value).to_owned())
}

/// A file of one provider key and one model, and more lists.
fn file(more: &str) -> String {
    format!(
        r#"
_format_version: "1"
provider_keys:
  - {{display_name: openai, api_key: "${{OPENAI_API_KEY}}"}}
models:
  - {{display_name: gpt-4o, provider: openai, model_name: gpt-4o, provider_key: openai}}
{more}"#
    )
}

#[track_caller]
fn entries(text: &str) -> Vec<Entry> {
    match parse("r.yaml", text, &env) {
        Ok(loaded) => loaded.entries,
        Err(report) => panic!("{report}"),
    }
}

#[track_caller]
fn problems(text: &str) -> Vec<String> {
    let report = parse("r.yaml", text, &env).expect_err("the file is wrong");
    let shown = report.to_string();
    assert!(!shown.contains("sk-hidden"), "{shown}");
    report
        .problems()
        .iter()
        .map(|problem| format!("{}: {}", problem.scope, problem.message))
        .collect()
}

#[test]
fn a_good_file_becomes_entries_with_sugar_replaced() {
    let text = file("api_keys:\n  - {display_name: me, key_env: CALLER, allowed_models: [gpt-4o]}");
    let entries = entries(&text);
    let kinds: Vec<_> = entries.iter().map(|entry| entry.key.kind).collect();
    assert_eq!(kinds, [Kind::ProviderKey, Kind::Model, Kind::ApiKey]);
    assert_eq!(entries[0].value["api_key"], "sk-hidden");
    assert_eq!(entries[1].value["provider_key_id"], &*entries[0].key.id);
    assert!(entries[1].value.get("provider_key").is_none());
    let key = &entries[2].value;
    assert_eq!(
        key["key_hash"],
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert!(key.get("key_env").is_none() && key.get("display_name").is_none());
    assert!(entries.iter().all(|entry| entry.revision == 1));
}

#[test]
fn policies_name_keys_and_models_and_what_is_no_name_stays() {
    // Policies may stand first.
    let text = file(
        r#"
rate_limit_policies:
  - {name: a, scope: api_key, scope_ref: me, window: day, max_requests: 1}
  - {name: b, scope: team, scope_ref: me, window: day, max_requests: 1}
  - name: c
    limits: {rpm: 1}
    conditions:
      - {dimension: team, operator: in, value: [me, gpt-4o]}
      - {dimension: model_name, operator: ==, value: gpt-4o}
      - {logic: or, children: [
          {dimension: model, operator: ==, value: gpt-4o},
          {dimension: api_key, operator: in, value: [me, nobody, gpt-4o]}]}
api_keys:
  - {display_name: me, key_env: CALLER, allowed_models: ["*"]}"#,
    );
    let entries = entries(&text);
    let id = |kind: Kind| {
        let found = entries.iter().find(|entry| entry.key.kind == kind);
        found.expect("there is one").key.id.as_ref()
    };
    let (model, key) = (id(Kind::Model), id(Kind::ApiKey));
    let policies = entries
        .iter()
        .filter(|it| it.key.kind == Kind::RateLimitPolicy);
    let [a, b, c] = &policies.map(|entry| &entry.value).collect::<Vec<_>>()[..] else {
        panic!("there are three")
    };
    assert_eq!(
        (&a["scope_ref"], &b["scope_ref"]),
        (&key.into(), &"me".into())
    );
    let conditions = &c["conditions"];
    assert_eq!(conditions[0]["value"], serde_json::json!(["me", "gpt-4o"]));
    assert_eq!(conditions[1]["value"], "gpt-4o");
    let children = &conditions[2]["children"];
    assert_eq!(children[0]["value"], model);
    assert_eq!(
        children[1]["value"],
        serde_json::json!([key, "nobody", "gpt-4o"])
    );
}

#[test]
fn a_mistake_in_a_policy_has_its_place() {
    let text =
        file("rate_limit_policies: [{name: a, scope: api_key, scope_ref: me, limits: {rpm: 1}}]");
    assert_eq!(
        problems(&text),
        [
            r#"rate_limit_policies[0] ("a"): `limits` is given besides `scope`: a policy has `limits`, or a `scope` and a `window`"#
        ]
    );
}

#[test]
fn ids_are_those_that_other_readers_of_the_file_derive() {
    assert_eq!(
        &*entries(&file(""))[1].key.id,
        "6efd592d-a73b-573d-8e2c-e9e103692f92"
    );
}

#[test]
fn the_hash_is_that_of_the_file() {
    let loaded = parse("r.yaml", "_format_version: \"1\"\n", &no_env).unwrap();
    assert!(loaded.entries.is_empty());
    assert_eq!(
        loaded.hash,
        "ed4c291a4fb055bbd878924c9f46e333c2473111cf6c2e9f452611a394a833dc"
    );
}

#[test]
fn json_is_read_too() {
    let text = r#"{"_format_version": "1", "models": null, "guardrails": [], "mcp_servers": []}"#;
    assert!(entries(text).is_empty());
}

#[test]
fn the_report_has_the_promised_form_and_everything_in_it() {
    let text = r#"
_format_version: 1
modles: []
mcp_servers: [{name: x}]
mcp_policies: []
guardrail_attachments: null
provider_keys: {}
models:
  - {display_name: gpt-4o, provider: openai, model_name: a, provider_key: opnai, timeout: soon}
  - 7
api_keys:
  - {display_name: me, id: x, key_env: NOPE, allowed_models: [gpt-4]}
"#;
    let report = parse("/etc/r.yaml", text, &env).unwrap_err();
    assert_eq!(
        report.to_string(),
        r#"resources file /etc/r.yaml: 12 error(s):
  - (file): `_format_version` must be the string "1", in quotes
  - (file): `modles` is not a known key; did you mean `models`?
  - (file): `mcp_servers` is not supported yet
  - (file): `mcp_policies` cannot stand in a resources file
  - (file): `guardrail_attachments` cannot stand in a resources file
  - (file): `provider_keys` must be a list
  - models[1]: must be a mapping
  - api_keys[0] ("me"): `id` is made from the name and cannot be given: only an import reads it
  - models[0] ("gpt-4o"): `provider_key` names no provider key: "opnai"
  - models[0] ("gpt-4o"): `timeout` must be a whole number, not a string
  - api_keys[0] ("me"): `key_env` names the environment variable "NOPE", which is unset or empty
  - api_keys[0] ("me"): `allowed_models[0]` names no model: "gpt-4"; did you mean "gpt-4o"?"#
    );
}

#[test]
fn the_format_version_is_required() {
    assert_eq!(
        problems("models: []"),
        [r#"(file): `_format_version: "1"` is required"#]
    );
    assert_eq!(
        problems("_format_version: '2'"),
        [r#"(file): `_format_version` is not supported: this version reads "1""#]
    );
}

#[test]
fn a_file_that_is_no_mapping_is_refused() {
    for text in ["", "[]", "7"] {
        assert_eq!(
            problems(text),
            ["(file): must be a mapping with `_format_version` and lists of resources"]
        );
    }
}

#[test]
fn broken_yaml_is_one_problem_that_names_the_line_and_no_text() {
    let report = problems("_format_version: \"1\"\nmodels: [sk-hidden");
    assert_eq!(report.len(), 1, "{report:?}");
    assert!(
        report[0].starts_with("(file): not valid YAML: "),
        "{report:?}"
    );
    assert!(report[0].contains("line"), "{report:?}");
}

#[test]
fn repeated_keys_and_several_documents_are_refused() {
    let report = problems("_format_version: \"1\"\nmodels: []\nmodels: []");
    assert!(report[0].contains("duplicate"), "{report:?}");
    let report = problems("_format_version: \"1\"\n---\n_format_version: \"1\"");
    assert!(report[0].contains("document"), "{report:?}");
}

#[test]
fn a_bomb_of_aliases_is_refused() {
    let mut text = "_format_version: \"1\"\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let inner = format!("*a{}", level - 1);
        let inner = vec![inner; 10].join(", ");
        text += &format!("a{level}: &a{level} [{inner}]\n");
    }
    assert!(problems(&text)[0].contains("not valid YAML"));
}

#[test]
fn names_that_look_like_booleans_stay_names() {
    let text = file("").replace("display_name: gpt-4o", "display_name: no");
    assert_eq!(entries(&text)[1].value["display_name"], "no");
}

#[test]
fn every_kind_that_comes_later_is_refused_by_name() {
    for kind in [
        "mcp_servers",
        "a2a_agents",
        "observability_exporters",
        "oidc_providers",
        "claim_mappings",
        "passthrough_routes",
        "mcp_auth_settings",
    ] {
        let text = file(&format!("{kind}: [{{name: x}}]"));
        assert_eq!(
            problems(&text),
            [format!("(file): `{kind}` is not supported yet")]
        );
    }
}

#[test]
fn a_provider_key_names_its_upstream() {
    let upstream = "upstreams: [{name: replicas, targets: [{host: a}]}]";
    let with = |field: &str| {
        file(upstream).replace(
            "display_name: openai,",
            &format!("display_name: openai, {field},"),
        )
    };
    let entries = entries(&with("upstream: replicas"));
    assert_eq!(entries[0].key.kind, Kind::Upstream);
    assert_eq!(entries[1].value["upstream_id"], &*entries[0].key.id);
    assert!(entries[1].value.get("upstream").is_none());
    for (field, message) in [
        (
            "upstream: replica",
            r#"`upstream` names no upstream: "replica"; did you mean "replicas"?"#,
        ),
        (
            "upstream_id: x",
            "`upstream_id` is the id of no upstream here",
        ),
        (
            "upstream: replicas, upstream_id: x",
            "`upstream` is given besides `upstream_id`",
        ),
        (
            "upstream: replicas, api_base: 'http://a'",
            "`upstream_id` is given besides `api_base`",
        ),
    ] {
        let expected = format!("provider_keys[0] (\"openai\"): {message}");
        assert_eq!(problems(&with(field)), [expected]);
    }
}

#[test]
fn groups_are_made_of_direct_models() {
    let group = "{display_name: group, routing: {targets: [{model: gpt-4o}, {model: gpt-4}, {model: group}, {model: any/x}, {model: '*'}]}}";
    let ensemble =
        "{display_name: all, ensemble: {panel: [{model: gpt-4o}], judge: {model: later}}}";
    let semantic = "{display_name: by meaning, semantic: {embedding_model: nobody, default: all, match: {threshold: 1},
        routes: [{name: a, target: gpt-4o, examples: [a]}], on_embedding_failure: {target: '${NOPE}'}}}";
    let any = "{display_name: any/*, provider: openai, provider_key: openai}";
    let models = format!("models:\n  - {group}\n  - {ensemble}\n  - {semantic}\n  - {any}\n");
    let text = file("").replace("models:\n", &models);
    assert_eq!(
        problems(&text),
        [
            r#"models[2] ("by meaning"): `semantic.on_embedding_failure.target` needs the environment variable `NOPE`, which is unset or empty"#,
            r#"models[0] ("group"): `routing.targets[1].model` names no model: "gpt-4"; did you mean "gpt-4o"?"#,
            r#"models[0] ("group"): `routing.targets[2].model` is not a direct model: "group""#,
            r#"models[1] ("all"): `ensemble.judge.model` names no model: "later""#,
            r#"models[2] ("by meaning"): `semantic.embedding_model` names no model: "nobody""#,
            r#"models[2] ("by meaning"): `semantic.default` is not a direct model: "all""#,
        ]
    );
}

#[test]
fn names_are_unique_within_a_kind() {
    let model = "{display_name: gpt-4o, provider: openai, model_name: x, provider_key: openai}";
    let text = file("").replace("models:\n", &format!("models:\n  - {model}\n"));
    assert_eq!(
        problems(&text),
        [r#"models[1] ("gpt-4o"): `display_name` is the same as that of models[0] ("gpt-4o")"#]
    );
}

#[test]
fn a_missing_variable_is_reported_once_and_hides_what_follows_from_it() {
    let text = file("").replace("${OPENAI_API_KEY}", "${EMPTY}").replace(
        "display_name: openai,",
        "display_name: openai, api_base: \"${NOPE}\",",
    );
    assert_eq!(
        problems(&text),
        [
            r#"provider_keys[0] ("openai"): `api_base` needs the environment variable `NOPE`, which is unset or empty"#,
            r#"provider_keys[0] ("openai"): `api_key` needs the environment variable `EMPTY`, which is unset or empty"#,
        ]
    );
}

#[test]
fn provider_keys_are_named_or_given_by_a_known_id() {
    let with = |reference: &str| file("").replace("provider_key: openai", reference);
    assert_eq!(
        problems(&with("provider_key: openia")),
        [
            r#"models[0] ("gpt-4o"): `provider_key` names no provider key: "openia"; did you mean "openai"?"#
        ]
    );
    assert_eq!(
        problems(&with("provider_key: openai, provider_key_id: x")),
        [r#"models[0] ("gpt-4o"): `provider_key` is given besides `provider_key_id`"#]
    );
    assert_eq!(
        problems(&with("provider_key_id: x")),
        [r#"models[0] ("gpt-4o"): `provider_key_id` is the id of no provider key here"#]
    );
    assert_eq!(
        problems(&with("provider_key: 7")),
        [r#"models[0] ("gpt-4o"): `provider_key` must be a string"#]
    );
    let id = entries(&file(""))[0].key.id.to_string();
    assert_eq!(entries(&with(&format!("provider_key_id: {id}"))).len(), 2);
}

#[test]
fn api_keys_have_a_name_and_one_credential() {
    let with = |key: &str| file(&format!("api_keys:\n  - {{{key}, allowed_models: ['*']}}"));
    assert_eq!(
        problems(&with("key_env: CALLER")),
        ["api_keys[0]: `display_name` is required"]
    );
    assert_eq!(
        problems(&with("display_name: me")),
        [r#"api_keys[0] ("me"): `key_env` or `key_hash` is required"#]
    );
    assert_eq!(
        problems(&with("display_name: me, key_env: CALLER, key_hash: x")),
        [
            r#"api_keys[0] ("me"): `key_env` is given besides `key_hash`"#,
            r#"api_keys[0] ("me"): `key_hash` must be a SHA-256 in 64 lowercase hexadecimal digits"#,
        ]
    );
    assert_eq!(
        problems(&with("display_name: me, key_env: RAW")),
        [
            r#"api_keys[0] ("me"): `key_env` names a variable whose value has a `${` that was not filled in"#
        ]
    );
    assert_eq!(
        problems(&with("display_name: me, key_env: [x]")),
        [r#"api_keys[0] ("me"): `key_env` must be a string"#]
    );
}

#[test]
fn one_credential_belongs_to_one_key() {
    let text = file(
        "api_keys:\n  - {display_name: a, key_env: CALLER, allowed_models: []}\n  - {display_name: b, key_env: CALLER, allowed_models: []}",
    );
    assert_eq!(
        problems(&text),
        [r#"api_keys[1] ("b"): has the same key as api_keys[0] ("a")"#]
    );
}

#[test]
fn allowed_models_are_models_of_the_file_or_patterns() {
    let with = |models: &str| {
        let text = file(&format!(
            "api_keys:\n  - {{display_name: a, key_env: CALLER, allowed_models: [{models}]}}"
        ));
        let wildcard = "{display_name: 'x/*', provider: openai, provider_key: openai}";
        text.replace("models:\n", &format!("models:\n  - {wildcard}\n"))
    };
    assert_eq!(entries(&with("gpt-4o, x/any, 'claude-*'")).len(), 4);
    assert_eq!(
        problems(&with("gpt-4, gpt-40")),
        [
            r#"api_keys[0] ("a"): `allowed_models[0]` names no model: "gpt-4"; did you mean "gpt-4o"?"#,
            r#"api_keys[0] ("a"): `allowed_models[1]` names no model: "gpt-40"; did you mean "gpt-4o"?"#,
        ]
    );
}

#[test]
fn a_header_variable_is_written_with_two_dollars() {
    let with = |value: &str| {
        file("").replace(
            "display_name: openai,",
            &format!("display_name: openai, request: {{default_headers: {{x-id: \"{value}\"}}}},"),
        )
    };
    entries(&with("$${request.id}"));
    let report = problems(&with("${request.id}"));
    assert_eq!(report.len(), 1, "{report:?}");
    assert!(report[0].ends_with("write `$${request.id}`"), "{report:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_reported_in_the_same_form() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.yaml");
    let report = load(&missing, &no_env).unwrap_err().to_string();
    let expected = format!(
        "resources file {}: 1 error(s):\n  - (file): cannot be read: ",
        missing.display()
    );
    assert!(report.starts_with(&expected), "{report}");

    let binary = directory.path().join("binary.yaml");
    fs::write(&binary, [0xff, 0xfe]).unwrap();
    let report = load(&binary, &no_env).unwrap_err();
    assert_eq!(report.problems()[0].message, "is not UTF-8");

    let huge = directory.path().join("huge.yaml");
    let file = fs::File::create(&huge).unwrap();
    file.set_len(MAX_BYTES + 1).unwrap();
    let report = load(&huge, &no_env).unwrap_err();
    assert_eq!(report.problems()[0].message, "is larger than 64 MiB");
}

/// A watched file in a directory of its own.
struct Watched {
    directory: tempfile::TempDir,
    path: PathBuf,
    watch: Watch,
}

impl Watched {
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("resources.yaml");
        fs::write(&path, text).unwrap();
        let watch = Watch::new(&path, env).unwrap();
        Self {
            directory,
            path,
            watch,
        }
    }

    async fn item(&mut self) -> Result<Vec<Entry>, String> {
        let item = tokio::time::timeout(Duration::from_secs(20), self.watch.next());
        match item.await.expect("an item in time").expect("no end") {
            Ok(Change::Together(changes)) => {
                let [Change::Reset(entries), Change::Hash(_)] = changes.as_slice() else {
                    panic!("{changes:?}")
                };
                Ok(entries.clone())
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    fn replace_by_renaming(&self, text: &str) {
        let other = self.directory.path().join("resources.yaml.tmp");
        fs::write(&other, text).unwrap();
        fs::rename(&other, &self.path).unwrap();
    }
}

#[tokio::test]
async fn the_hash_is_that_of_the_file_good_or_bad() {
    let hash = |text: &str| Some(hex::encode(Sha256::digest(text)));
    let good = file("");
    let mut watched = Watched::new(&good);
    watched.item().await.unwrap();
    assert_eq!(watched.watch.reloader().hash(), hash(&good));
    watched.replace_by_renaming("bad: [");
    watched.item().await.unwrap_err();
    assert_eq!(watched.watch.reloader().hash(), hash("bad: ["));
    fs::remove_file(&watched.path).unwrap();
    watched.item().await.unwrap_err();
    assert_eq!(watched.watch.reloader().hash(), None);
}

#[tokio::test]
async fn a_file_replaced_by_renaming_is_read_again_and_again() {
    let mut watched = Watched::new(&file(""));
    assert_eq!(watched.item().await.unwrap().len(), 2);
    for (round, revision) in [("one", 2), ("two", 3)] {
        watched.replace_by_renaming(&file("").replace("gpt-4o, p", &format!("{round}, p")));
        let entries = watched.item().await.unwrap();
        assert_eq!(entries[1].value["display_name"], round);
        assert_eq!(entries[1].revision, revision);
    }
}

#[tokio::test]
async fn a_file_written_in_place_is_read_again() {
    let mut watched = Watched::new(&file(""));
    watched.item().await.unwrap();
    fs::write(&watched.path, "_format_version: \"1\"").unwrap();
    assert!(watched.item().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_bad_file_is_an_error_and_the_stream_goes_on() {
    let mut watched = Watched::new("models: []");
    let first = watched.item().await.unwrap_err();
    assert!(first.starts_with("resources file "), "{first}");

    watched.replace_by_renaming(&file(""));
    assert_eq!(watched.item().await.unwrap().len(), 2);

    watched.replace_by_renaming("models: []");
    let error = watched.item().await.unwrap_err();
    let expected = "resources file reload failed — keeping the previous snapshot: resources file ";
    assert!(error.starts_with(expected), "{error}");

    watched.replace_by_renaming(&file(""));
    assert_eq!(watched.item().await.unwrap()[0].revision, 2);
}

#[tokio::test]
async fn a_reload_by_hand_yields_even_if_nothing_has_changed() {
    let mut watched = Watched::new(&file(""));
    watched.item().await.unwrap();
    watched.watch.reloader().reload();
    assert_eq!(watched.item().await.unwrap()[0].revision, 2);
}

#[tokio::test]
async fn the_same_content_written_again_is_no_item() {
    let mut watched = Watched::new(&file(""));
    watched.item().await.unwrap();
    watched.replace_by_renaming(&file(""));
    watched.replace_by_renaming("_format_version: \"1\" # other");
    // Had the first replacement yielded, its two resources would come first.
    assert!(watched.item().await.unwrap().is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn a_symbolic_link_swapped_as_kubernetes_does_is_read_again() {
    use std::os::unix::fs::symlink;

    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for (version, text) in [
        ("..v1", file("")),
        ("..v2", "_format_version: \"1\"".to_owned()),
    ] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("resources.yaml"), text).unwrap();
    }
    symlink("..v1", at("..data")).unwrap();
    symlink("..data/resources.yaml", at("resources.yaml")).unwrap();
    let watch = Watch::new(at("resources.yaml"), env).unwrap();
    let path = at("resources.yaml");
    let mut watched = Watched {
        path,
        watch,
        directory,
    };
    assert_eq!(watched.item().await.unwrap().len(), 2);

    let at = |name: &str| watched.directory.path().join(name);
    symlink("..v2", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    fs::remove_dir_all(at("..v1")).unwrap();
    assert!(watched.item().await.unwrap().is_empty());
}

#[tokio::test]
async fn dropping_the_watch_ends_its_thread() {
    let mut watched = Watched::new(&file(""));
    watched.item().await.unwrap();
    let reloader = watched.watch.reloader();
    let bell = watched.watch.bell();
    drop(watched);
    // The thread gives its bell back when it ends, although a reloader is still there.
    tokio::time::timeout(Duration::from_secs(20), async {
        while bell.strong_count() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the thread ends");
    reloader.reload();
}
