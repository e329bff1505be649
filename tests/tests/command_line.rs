//! `aisix export`, `import` and `diff`: resources go from one place to another and stay what they are.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Output,
};

use aisix_tests::{
    client::Client,
    etcd::Etcd,
    gateway::{self, Gateway, KEY, Setup},
    tls::{Certificate, Front},
    upstream::{self, Answer, Flavour, Upstream},
    within,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Resources with every field, secrets with odd letters among them.
const EVERYTHING: &str = include_str!("everything.yaml");

/// The secrets of it, by the variables that an export makes of them.
const SECRETS: [(&str, &str); 3] = [
    ("OTHER_SECRET", "two\nlines"),
    ("UP_STREAM_API_KEY", "sk-$ecret${X}"),
    ("UP_STREAM_X_AUTH", "top $ecret"),
];

/// A place to work in.
struct Desk(TempDir);

/// What a command did.
struct Did {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().expect("a temporary directory"));
        desk.write("everything.yaml", EVERYTHING);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("writable");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("it is there")
    }

    /// Runs `aisix` here, with words between spaces.
    async fn aisix(&self, words: &str) -> Did {
        self.aisix_with(words, &[]).await
    }

    async fn aisix_with(&self, words: &str, env: &[(&str, &str)]) -> Did {
        let mut command = gateway::command();
        command.current_dir(self.0.path()).args(words.split(' '));
        command.envs(env.iter().copied());
        let output = within(words, command.output()).await.expect("it starts");
        Did::from(output)
    }

    /// The same, which must go well; what it printed.
    async fn well(&self, words: &str) -> String {
        let did = self.aisix_with(words, &SECRETS).await;
        assert_eq!(did.code, Some(0), "{words}\n{}\n{}", did.stdout, did.stderr);
        did.stdout
    }

    /// A store with everything.
    async fn filled(&self, directory: &str) {
        self.well(&format!("import everything.yaml --to {directory}/"))
            .await;
    }
}

impl From<Output> for Did {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Did {
    #[track_caller]
    fn failed(&self, code: i32, said: &str) {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        assert!(self.stderr.contains(said), "{said}\n{}", self.stderr);
        self.tells_no_secret();
    }

    #[track_caller]
    fn tells_no_secret(&self) {
        for secret in ["lines", "ecret${X}", "top $", "other-secret"] {
            let all = format!("{}\n{}", self.stdout, self.stderr);
            assert!(!all.contains(secret), "{secret}\n{all}");
        }
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path)
        .expect("it is there")
        .permissions()
        .mode()
        & 0o777
}

#[tokio::test]
async fn from_a_store_through_a_file_to_another_store_nothing_is_lost() {
    let desk = Desk::new();
    let given = "  - id: given-$$1\n    display_name: other";
    desk.write(
        "everything.yaml",
        &EVERYTHING.replace("  - display_name: other", given),
    );
    desk.filled("one").await;

    let exported = desk.aisix("export one -o plain.yaml").await;
    assert_eq!(exported.code, Some(0), "{}", exported.stderr);
    exported.tells_no_secret();
    for (variable, _) in SECRETS {
        assert!(
            exported.stderr.contains(&format!("  {variable}  ")),
            "{}",
            exported.stderr
        );
    }
    assert_eq!(mode(&desk.path("plain.yaml")), 0o600);
    assert!(!desk.read("plain.yaml").contains("ecret${X}"));
    assert_eq!(
        desk.aisix_with("validate --resources plain.yaml", &SECRETS)
            .await
            .code,
        Some(0)
    );

    desk.well("import plain.yaml --to two/").await;
    let revealed = desk.well("export one --reveal-secrets").await;
    assert!(revealed.contains("sk-$$ecret$${X}"), "{revealed}");
    assert_eq!(desk.well("export two --reveal-secrets").await, revealed);
    assert_eq!(desk.well("export two").await, desk.read("plain.yaml"));
    assert_eq!(desk.aisix("diff one two").await.code, Some(0));
    assert_eq!(desk.aisix("diff one two --ids").await.code, Some(1));

    desk.write(
        "ids.yaml",
        &desk.well("export one --ids --reveal-secrets").await,
    );
    desk.well("import ids.yaml --to three/").await;
    assert_eq!(
        desk.well("export three --ids --reveal-secrets").await,
        desk.read("ids.yaml")
    );
    assert_eq!(desk.aisix("diff one three --ids").await.code, Some(0));
    let refused = desk.aisix("validate --resources ids.yaml").await;
    refused.failed(1, "only an import reads it");

    desk.well("import one --to four/").await;
    assert_eq!(desk.aisix("diff one four --ids").await.code, Some(0));
}

#[tokio::test]
async fn through_etcd_and_back_nothing_is_lost() {
    let desk = Desk::new();
    let etcd = Etcd::start().await;
    let (url, endpoint) = (etcd.location("/some/where"), etcd.endpoint());
    desk.filled("one").await;
    desk.write(
        "ids.yaml",
        &desk.well("export one --ids --reveal-secrets").await,
    );

    desk.well(&format!("import ids.yaml --to {url}")).await;
    assert_eq!(
        desk.well(&format!("export {url} --ids --reveal-secrets"))
            .await,
        desk.read("ids.yaml")
    );
    let spelling = format!("export --etcd {endpoint} --prefix /some/where --ids --reveal-secrets");
    assert_eq!(desk.well(&spelling).await, desk.read("ids.yaml"));
    assert_eq!(
        desk.aisix(&format!("diff {url} one --ids")).await.code,
        Some(0)
    );
    desk.well(&format!("import {url} --to two/")).await;
    assert_eq!(desk.aisix("diff one two --ids").await.code, Some(0));

    let elsewhere = desk.well(&format!("export {}", etcd.location(""))).await;
    assert_eq!(elsewhere, "_format_version: \"1\"\n");
}

#[tokio::test]
async fn more_than_etcd_takes_at_once_are_several_commits() {
    let desk = Desk::new();
    let etcd = Etcd::start().await;
    let url = etcd.location("/many");
    let models: Vec<Value> = (0..150)
        .map(|n| json!({"display_name": format!("m{n}"), "provider": "openai", "model_name": "m", "provider_key": "up"}))
        .collect();
    let many = json!({"_format_version": "1", "models": models,
        "provider_keys": [{"display_name": "up", "api_key": "other-secret"}]});
    desk.write("many.json", &many.to_string());
    let said = desk.well(&format!("import many.json --to {url}")).await;
    assert!(said.ends_with(&format!(
        "151 added, 0 changed, 0 removed, 0 unchanged; written to etcd {}/many as 3 commits, because it takes 62 \
         resources at once\n",
        etcd.endpoint()
    )), "{said}");
    assert_eq!(
        desk.aisix(&format!("diff many.json {url}")).await.code,
        Some(0)
    );

    desk.write("none.yaml", "_format_version: '1'\n");
    let said = desk
        .well(&format!("import none.yaml --to {url} --prune"))
        .await;
    assert!(said.contains("0 added, 0 changed, 151 removed"), "{said}");
}

#[tokio::test]
async fn an_import_leaves_others_alone_keeps_ids_and_tells_what_it_does() {
    let desk = Desk::new();
    desk.filled("one").await;
    let before = desk.well("export one --ids").await;
    desk.write(
        "more.yaml",
        "_format_version: '1'
provider_keys:
  - {display_name: other, api_key: other-secret, provider: openai}
models:
  - {display_name: new, provider: openai, model_name: m, provider_key: up $$stream}
",
    );
    let dry = desk.aisix("import more.yaml --to one --dry-run").await;
    dry.tells_no_secret();
    assert_eq!(
        dry.stdout,
        "~ provider_keys \"other\"
    api_key: differs
    provider: \"openai\"
+ models \"new\"
    display_name: \"new\"
    model_name: \"m\"
    provider: \"openai\"
    provider_key: \"up $stream\"
1 added, 1 changed, 0 removed, 0 unchanged; nothing was written: this is a dry run
"
    );
    assert_eq!(desk.well("export one --ids").await, before);

    let said = desk.well("import more.yaml --to one").await;
    assert!(said.ends_with("0 unchanged; written to one\n"), "{said}");
    let after = desk.well("export one --ids").await;
    let id = |text: &str| {
        let (before, _) = text.split_once("display_name: other").expect("it is there");
        before.rsplit("id: ").next().map(str::to_owned)
    };
    assert_eq!(id(&after), id(&before), "it is the same resource");
    assert!(after.contains("display_name: gpt\n"), "others stay");
    let again = desk.well("import more.yaml --to one").await;
    assert_eq!(
        again,
        "0 added, 0 changed, 0 removed, 2 unchanged; one stays as it is\n"
    );

    let said = desk.well("import everything.yaml --to one --prune").await;
    assert!(said.contains("- models \"new\"\n"), "{said}");
    assert_eq!(desk.well("export one --ids").await, before);
    let dry = desk
        .aisix_with("import everything.yaml --to nowhere/ --dry-run", &SECRETS)
        .await;
    assert_eq!(dry.code, Some(0), "{}", dry.stderr);
    assert!(!desk.path("nowhere").exists(), "a dry run makes nothing");
}

#[tokio::test]
async fn an_import_with_mistakes_tells_all_of_them_and_writes_nothing() {
    let desk = Desk::new();
    desk.filled("one").await;
    let before = desk.well("export one --ids").await;
    desk.write(
        "bad.yaml",
        "_format_version: '1'
provider_keys:
  - {id: strange, display_name: other, api_key: x}
  - {display_name: fine, api_key: x, colour: blue}
models:
  - {display_name: m, provider: openai, model_name: m, provider_key: gone}
",
    );
    let did = desk.aisix("import bad.yaml --to one").await;
    did.failed(1, "bad.yaml: 2 error(s)");
    did.failed(
        1,
        "provider_keys[1] (\"fine\"): `colour` is not a known field",
    );
    did.failed(
        1,
        "models[0] (\"m\"): `provider_key` names no provider key: \"gone\"",
    );
    desk.write(
        "taken.yaml",
        "_format_version: '1'\nprovider_keys: [{id: strange, display_name: other, api_key: x}]\n",
    );
    let did = desk.aisix("import taken.yaml --to one").await;
    did.failed(
        1,
        "display_name \"other\" is already in use by provider_keys/",
    );
    desk.write("none.yaml", "_format_version: '1'\nmodels: [{display_name: gpt, provider: openai, model_name: m, provider_key: other}]\n");
    let did = desk.aisix("import none.yaml --to one --prune").await;
    did.failed(1, "names no provider key: \"other\"");
    assert_eq!(desk.well("export one --ids").await, before);
}

#[tokio::test]
async fn what_a_file_cannot_say_is_named_and_left_out_on_demand() {
    let desk = Desk::new();
    let etcd = Etcd::start().await;
    let url = etcd.location("/some");
    desk.well(&format!("import everything.yaml --to {url}"))
        .await;
    etcd.put(
        "/some/models/bad",
        &json!({"display_name": "bad", "provider": "openai",
        "model_name": "m", "provider_key_id": "gone"})
        .to_string(),
    )
    .await;
    etcd.put("/some/models/broken", "{").await;
    etcd.put("/some/widgets/x", "{}").await;
    let did = desk.aisix(&format!("export {url} -o out.yaml")).await;
    did.failed(1, "models/bad (\"bad\"): `provider_key_id` refers to provider_keys/gone, which does not exist");
    did.failed(1, "models/broken: is not JSON");
    did.failed(1, "widgets/x: is of a kind that is not known");
    assert!(!desk.path("out.yaml").exists());
    let did = desk
        .aisix(&format!("export {url} -o out.yaml --skip-invalid"))
        .await;
    assert_eq!(did.code, Some(0), "{}", did.stderr);
    assert!(
        did.stderr
            .contains("Left out:\n  - models/broken: is not JSON"),
        "{}",
        did.stderr
    );
    let diff = desk
        .aisix_with("diff out.yaml everything.yaml", &SECRETS)
        .await;
    assert_eq!((diff.code, diff.stdout.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn a_diff_tells_what_differs_and_no_secret() {
    let desk = Desk::new();
    desk.filled("one").await;
    let same = desk.aisix_with("diff one everything.yaml", &SECRETS).await;
    assert_eq!(
        (same.code, same.stdout.as_str()),
        (Some(0), ""),
        "{}",
        same.stderr
    );

    desk.write(
        "changed.yaml",
        &EVERYTHING
            .replace("timeout: 0", "timeout: 7")
            .replace("OTHER_SECRET", "UP_STREAM_API_KEY"),
    );
    let did = desk.aisix_with("diff one changed.yaml", &SECRETS).await;
    did.tells_no_secret();
    assert_eq!(did.code, Some(1), "{}", did.stderr);
    assert_eq!(
        did.stdout,
        "--- one
+++ changed.yaml
~ provider_keys \"other\"
    api_key: differs
~ models \"gpt\"
    timeout: 0 → 7
"
    );

    // What is not set is not known.
    let did = desk
        .aisix_with("diff one everything.yaml", &SECRETS[1..])
        .await;
    assert_eq!(did.code, Some(0), "{}", did.stderr);
    assert!(
        did.stdout
            .contains("api_key: is not compared: the variable OTHER_SECRET is not set"),
        "{}",
        did.stdout
    );
    for (said, unset) in [
        ("https://example.test/v1", "https://${HOST}/v1"),
        ("model_name: gpt-4o", "model_name: ${HOST}"),
    ] {
        desk.write("unset.yaml", &EVERYTHING.replace(said, unset));
        let did = desk.aisix_with("diff one unset.yaml", &SECRETS).await;
        did.failed(2, "needs the environment variable `HOST`");
    }
}

#[tokio::test]
async fn what_cannot_be_says_why() {
    let desk = Desk::new();
    desk.filled("one").await;
    for (words, code, said) in [
        ("export nowhere", 1, "nowhere does not exist: a location is"),
        ("export nowhere/", 1, "there is no store in nowhere/"),
        (
            "export nowhere.yaml",
            1,
            "resources file nowhere.yaml: 1 error(s)",
        ),
        ("export", 1, "there is no store in aisix-data"),
        (
            "export etcd://me:other-secret@127.0.0.1:1/x",
            1,
            "put it into the environment variable ETCD_PASSWORD",
        ),
        (
            "export etcd://me@127.0.0.1:1/x",
            1,
            "the environment variable ETCD_PASSWORD",
        ),
        ("export etcd://127.0.0.1:1/x", 1, "etcd: "),
        ("diff one nowhere", 2, "nowhere does not exist"),
        (
            "import one --to plain.yaml",
            1,
            "plain.yaml is a file and no store",
        ),
        ("diff one", 2, "<B>"),
    ] {
        desk.aisix(words).await.failed(code, said);
    }
}

#[tokio::test]
async fn a_store_that_a_gateway_has_open_is_told() {
    let gateway = Gateway::start(Setup::embedded()).await;
    let desk = Desk::new();
    let store = gateway.directory().join("aisix-data").display().to_string();
    let did = desk.aisix(&format!("export {store}")).await;
    did.failed(
        1,
        "is in use by another process: stop that, or use its Admin API",
    );
    let did = desk
        .aisix(&format!(
            "--config {} export",
            gateway.directory().join("config.yaml").display()
        ))
        .await;
    did.failed(1, "there is no store in aisix-data");
}

#[tokio::test]
async fn what_is_imported_into_etcd_is_served_at_once() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    upstream.on("text", Answer::text(["Hello"]));
    let etcd = Etcd::start().await;
    let gateway = Gateway::start(Setup::embedded().config(etcd.block())).await;
    let desk = Desk::new();
    let hash = hex::encode(Sha256::digest(KEY));
    let resources = json!({
        "_format_version": "1",
        "provider_keys": [{"display_name": "up", "provider": "openai", "api_key": upstream::KEY, "api_base": upstream.base_url()}],
        "models": [{"display_name": "gpt", "provider": "openai", "model_name": "text", "provider_key": "up"}],
        "api_keys": [{"display_name": "me", "key_hash": hash, "allowed_models": ["gpt"]}],
    });
    desk.write("r.json", &resources.to_string());
    let config = gateway
        .directory()
        .join("config.yaml")
        .display()
        .to_string();
    desk.well(&format!("import r.json --config {config}")).await;
    let client = Client::new(gateway.proxy());
    let served = async {
        while client.chat("gpt", "hi").await.status != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    within("the model", served).await;
    let admin = gateway.administrator().await;
    let history = admin.get("/aisix/admin/history").await.json().await;
    assert_eq!(history["total"], 1, "{history}");
    assert_eq!(history["list"][0]["by"], "import");
    let exported = desk.well(&format!("export --config {config}")).await;
    assert!(exported.contains("api_key: ${UP_API_KEY}"), "{exported}");
}

#[tokio::test]
async fn what_the_first_generation_wrote_is_exported_as_what_it_is_today() {
    let desk = Desk::new();
    let etcd = Etcd::start().await;
    let url = etcd.location("/first");
    let model = json!({"name": "gpt", "model": "openai/text", "provider_config": {"api_key": "other-secret"}});
    etcd.put("/first/models/1", &model.to_string()).await;
    let key = json!({"key": KEY, "allowed_models": ["gpt"]});
    etcd.put("/first/apikeys/2", &key.to_string()).await;
    let exported = desk.aisix(&format!("export {url} --ids -o r.yaml")).await;
    assert_eq!(exported.code, Some(0), "{}", exported.stderr);
    exported.tells_no_secret();
    let text = desk.read("r.yaml");
    let hash = hex::encode(Sha256::digest(KEY));
    for line in [
        "    api_key: ${MODEL_1_API_KEY}\n",
        "    provider_key: model-1\n",
        &format!("    key_hash: {hash}\n"),
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let env = [("MODEL_1_API_KEY", "other-secret")];
    let did = desk.aisix_with("import r.yaml --to here/", &env).await;
    assert_eq!(did.code, Some(0), "{}", did.stderr);
    assert_eq!(
        desk.aisix(&format!("diff {url} here --ids")).await.code,
        Some(0)
    );

    // Bringing it back changes nothing; a change brings it up to date.
    let did = desk.aisix(&format!("import here --to {url} --prune")).await;
    assert!(
        did.stdout
            .contains("0 added, 0 changed, 0 removed, 3 unchanged"),
        "{}",
        did.stdout
    );
    desk.write(
        "r.yaml",
        &text.replace("model_name: text", "model_name: other"),
    );
    let did = desk
        .aisix_with(&format!("import r.yaml --to {url}"), &env)
        .await;
    assert!(
        did.stdout.contains("model_name: \"text\" → \"other\""),
        "{}{}",
        did.stdout,
        did.stderr
    );
    assert_eq!(
        desk.aisix_with(&format!("diff {url} r.yaml --ids"), &env)
            .await
            .code,
        Some(0)
    );
}

#[tokio::test]
async fn etcd_may_want_tls_and_a_password() {
    let desk = Desk::new();
    let etcd = Etcd::start().await;
    etcd.require_password("other-secret").await;
    let certificate = Certificate::new("127.0.0.1");
    let front = Front::start(etcd.addr(), &certificate).await;
    certificate.write(desk.0.path());
    let url = format!("etcds://root@{}/x", front.addr());
    desk.write(
        "r.json",
        r#"{"_format_version": "1", "provider_keys": [{"display_name": "up", "api_key": "sk"}]}"#,
    );

    let password = [("ETCD_PASSWORD", "other-secret")];
    let import = format!("import r.json --to {url} --etcd-ca cert.pem");
    let did = desk.aisix_with(&import, &password).await;
    assert_eq!(did.code, Some(0), "{}", did.stderr);

    let elsewhere = [("MINE", "other-secret")];
    let export = format!(
        "export --etcd https://{} --prefix /x --etcd-user root --etcd-password-env MINE --etcd-ca cert.pem",
        front.addr()
    );
    let did = desk.aisix_with(&export, &elsewhere).await;
    assert!(did.stdout.contains("display_name: up"), "{}", did.stderr);

    let tls = json!({"ca_cert_file": "cert.pem", "client_cert_file": "cert.pem", "client_key_file": "key.pem"});
    let config = json!({"proxy": {"addr": "127.0.0.1:0"}, "admin": {"enabled": false},
        "etcd": {"endpoints": ["https://10.0.0.1:1"], "tls": tls}});
    desk.write("config.yaml", &config.to_string());
    let did = desk
        .aisix_with(&format!("diff r.json {url} -c config.yaml"), &password)
        .await;
    assert_eq!(did.code, Some(0), "{}", did.stderr);

    let wrong = [("ETCD_PASSWORD", "hidden")];
    desk.aisix_with(&import, &wrong).await.failed(1, "etcd: ");
    let did = desk.aisix_with(&format!("export {url}"), &password).await;
    did.failed(1, "etcd: ");
}

#[tokio::test]
async fn imports_at_the_same_time_all_get_through() {
    let desk = Desk::new();
    let etcd = Etcd::start().await;
    let url = etcd.location("/busy");
    let imports = (0..5).map(|n| {
        let key = json!({"display_name": format!("p{n}"), "api_key": "sk"});
        let file = json!({"_format_version": "1", "provider_keys": [key]});
        desk.write(&format!("{n}.json"), &file.to_string());
        let words = format!("import {n}.json --to {url}");
        let desk = &desk;
        async move { desk.well(&words).await }
    });
    futures_util::future::join_all(imports).await;
    let exported = desk.well(&format!("export {url}")).await;
    assert_eq!(exported.matches("display_name").count(), 5, "{exported}");
}
