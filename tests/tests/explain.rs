//! What would become of a request: told by a running node, and by the command line with and without one.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Output, Stdio},
};

use aisix_tests::{
    client::Client,
    etcd::Etcd,
    gateway::{self, ADMIN_KEY, Gateway, KEY, Setup},
    room_in_minute,
    tls::Certificate,
    upstream::{self, Answer, Flavour, Upstream},
    within,
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpSocket};

const LIMITED: &str = "sk-limited-0123456789";

/// A file of resources with a model `text`, a limited caller, and an admin listener.
async fn setup() -> (Upstream, Setup) {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    upstream.on("text", Answer::text(["Hello"]));
    let admin = json!({"enabled": true, "addr": "127.0.0.1:0", "admin_keys": [ADMIN_KEY]});
    let limit = json!({"allowed_models": ["te*"], "rate_limit": {"rpm": 5, "tpm": 100_000}});
    let setup = Setup::new()
        .config(json!({ "admin": admin }))
        .provider(&upstream)
        .models(["text", "other"])
        .key("limited", LIMITED, limit);
    (upstream, setup)
}

/// The command line in the directory of a gateway.
struct Line {
    command: tokio::process::Command,
    input: String,
}

impl Line {
    fn new(directory: &Path, arguments: &[&str]) -> Self {
        let mut command = gateway::command();
        command
            .current_dir(directory)
            .arg("explain")
            .args(arguments);
        command
            .args(["--config", "config.yaml"])
            .stdin(Stdio::piped());
        let input = String::new();
        Self { command, input }
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Where the node of these settings listens, which has taken a free port.
    fn at(self, admin: SocketAddr) -> Self {
        self.env("AISIX_ADMIN__ADDR", &admin.to_string())
    }

    fn input(mut self, text: &str) -> Self {
        text.clone_into(&mut self.input);
        self
    }

    /// Runs it, and looks for secrets in what it prints.
    async fn run(mut self) -> Ended {
        let mut child = self.command.spawn().expect("the binary starts");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(self.input.as_bytes()).await.ok();
        drop(stdin);
        let output = within("the command to end", child.wait_with_output()).await;
        let ended = Ended::of(&output.expect("the command ran"));
        for secret in [KEY, LIMITED, ADMIN_KEY, upstream::KEY] {
            assert!(
                !ended.out.contains(secret) && !ended.err.contains(secret),
                "{ended:?}"
            );
        }
        ended
    }
}

#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    #[track_caller]
    fn says(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for word in words {
            let is_there = self.out.contains(word) || self.err.contains(word);
            assert!(is_there, "{word:?} is not in {}\n{}", self.out, self.err);
        }
    }
}

/// Asks twice as the limited caller, and waits until that is accounted for.
async fn use_two(gateway: &Gateway) {
    let client = Client::anonymous(gateway.proxy()).header("x-api-key", LIMITED);
    for _ in 0..2 {
        let response = client.chat("text", "hi").await;
        let id = response
            .header("x-aisix-request-id")
            .expect("always sent")
            .to_owned();
        assert_eq!(response.status, 200);
        response.text().await;
        gateway.access_log(&id).await;
    }
}

#[tokio::test]
async fn administrators_are_told_live_numbers_without_a_trace() {
    let (upstream, setup) = setup().await;
    let gateway = Gateway::start(setup).await;
    let admin = gateway.administrator().await;
    room_in_minute().await;
    use_two(&gateway).await;
    let explain = async |question: Value| {
        let answer = admin.post("/aisix/admin/explain", &question).await;
        assert_eq!(answer.status, 200);
        answer.json().await
    };
    let question = json!({"key": LIMITED, "model": "text"});
    for _ in 0..7 {
        let told = explain(question.clone()).await;
        assert_eq!(told["outcome"], json!({"sent": true}), "{told}");
        let rates = &told["limits"]["list"][0]["rates"];
        assert_eq!(rates[1]["rate"], "rpm");
        let rpm = [
            &rates[1]["limit"],
            &rates[1]["used"],
            &rates[1]["remaining"],
        ];
        assert_eq!(rpm, [5, 2, 3], "{told}");
        assert_ne!(rates[0]["used"], 0, "tokens were used: {told}");
        let target = &told["targets"][0];
        let url = format!("{}/chat/completions", upstream.base_url());
        assert_eq!(target["upstream"]["url"], url, "{told}");
        assert!(!told.to_string().contains(upstream::KEY), "{told}");
    }
    let told = explain(json!({"key": LIMITED, "model": "other"})).await;
    assert_eq!(told["outcome"]["status"], 403, "{told}");
    assert_eq!(told["model"]["allowed_by"], Value::Null);

    // The last line of the log is that of a request which came after all of them.
    use_two(&gateway).await;
    let requests = gateway.log().into_iter();
    let requests = requests.filter(|line| line["message"] == "proxy request completed");
    let paths: Vec<_> = requests.map(|line| line["path"].clone()).collect();
    let chats = paths.iter().filter(|path| **path == "/v1/chat/completions");
    assert_eq!(chats.count(), 4, "explanations are no requests: {paths:?}");
    assert_eq!(
        upstream.exchanges().len(),
        4,
        "nothing but the calls went out"
    );
    let metrics = gateway.metrics().await;
    assert!(!metrics.contains("status=\"403\""), "{metrics}");
    let printed = gateway.printed();
    assert!(!printed.contains(LIMITED), "{printed}");
}

#[tokio::test]
async fn the_command_line_asks_the_node_that_runs() {
    let (_upstream, setup) = setup().await;
    let gateway = Gateway::start(setup).await;
    let (admin, directory) = (gateway.admin().await, gateway.directory());
    room_in_minute().await;
    use_two(&gateway).await;
    let line = |arguments: &[&str]| Line::new(directory, arguments).at(admin);

    let ended = line(&["--key", LIMITED, "--model", "text"]).run().await;
    ended.says(
        0,
        &[
            "would be sent to openai",
            "2 of 5 used, 3 left",
            &format!("http://{admin}"),
        ],
    );
    let ended = line(&["--model", "text", "--json"])
        .env("AISIX_KEY", LIMITED)
        .run()
        .await;
    ended.says(0, &[]);
    let told: Value = serde_json::from_str(&ended.out).expect("it is JSON");
    let question = json!({"key": LIMITED, "model": "text"});
    let asked = gateway
        .administrator()
        .await
        .post("/aisix/admin/explain", &question)
        .await;
    let mut asked = asked.json().await;
    for rate in ["/limits/list/0/rates/0", "/limits/list/0/rates/1"] {
        // Time goes by.
        let reset = told.pointer(rate).expect("it is there")["reset_seconds"].clone();
        asked.pointer_mut(rate).expect("it is there")["reset_seconds"] = reset;
    }
    assert_eq!(told, asked);

    let refused = line(&["--key", "-", "--model", "other"]).input(&format!("{LIMITED}\n"));
    refused.run().await.says(
        3,
        &[
            "would be refused by admit: 403 forbidden",
            "not allowed to this key",
        ],
    );
    let stranger = line(&["--key", "sk-stranger", "--model", "text"])
        .run()
        .await;
    stranger.says(3, &["would be refused by auth: 401", "invalid API key"]);
    assert!(!stranger.out.contains("sk-stranger"));

    let body =
        r#"{"model": "text", "messages": [{"role": "user", "content": "hi"}], "stream": true}"#;
    let by_id = told["caller"]["id"].as_str().expect("the key has an id");
    let ended = line(&["--key-id", by_id, "--body", "-"])
        .input(body)
        .run()
        .await;
    ended.says(0, &["streamed", "body given", "edited: stream_options"]);
    let ended = line(&["--key-id", by_id, "--body", "-", "--model", "other"])
        .input(body)
        .run()
        .await;
    ended.says(1, &["`model` is not the one of the request"]);
    let ended = line(&["--key-id", "nobody", "--model", "text"]).run().await;
    ended.says(1, &["`key_id` names no API key"]);
    let ended = line(&["--key", KEY, "--model", "text"])
        .env("AISIX_ADMIN_KEY", "wrong")
        .run()
        .await;
    ended.says(1, &["knows another admin key: set AISIX_ADMIN_KEY"]);
    line(&["--model", "text"])
        .run()
        .await
        .says(1, &["give --key, --key-id, or AISIX_KEY"]);
}

#[tokio::test]
async fn the_command_line_explains_without_a_node() {
    let (upstream, setup) = setup().await;
    let gateway = Gateway::start(setup).await;
    let admin = gateway.admin().await;
    use_two(&gateway).await;
    let calls = upstream.exchanges().len();
    let directory = gateway.kill().await;
    let line = |arguments: &[&str]| Line::new(directory.path(), arguments).at(admin);
    let ended = line(&["--key", LIMITED, "--model", "text"]).run().await;
    let note = format!("no node answers at {admin}, so the limits are those of an idle one");
    ended.says(
        0,
        &["would be sent to openai", "0 of 5 used, 5 left", &note],
    );
    let ended = line(&["--key", LIMITED, "--model", "other", "--json"])
        .run()
        .await;
    ended.says(3, &[&note]);
    let told: Value = serde_json::from_str(&ended.out).expect("stdout is JSON alone");
    assert_eq!(told["outcome"]["status"], 403);
    assert_eq!(upstream.exchanges().len(), calls, "nothing is sent");
}

#[tokio::test]
async fn a_store_is_read_here_unless_a_node_has_it() {
    let gateway = Gateway::start(Setup::embedded()).await;
    let (admin, addr) = (gateway.administrator().await, gateway.admin().await);
    let mock =
        json!({"name": "mock", "model": "mock/mock", "provider_config": {"api_key": "none"}});
    assert_eq!(admin.post("/aisix/admin/models", &mock).await.status, 201);
    let key = json!({"key": KEY, "allowed_models": ["*"]});
    assert_eq!(admin.post("/aisix/admin/api_keys", &key).await.status, 201);
    let line = |directory: &Path| Line::new(directory, &["--key", KEY, "--model", "mock"]);

    let asked = line(gateway.directory()).at(addr).run().await;
    asked.says(0, &["in this process"]);
    // A node is there, but nobody knows where, or by which key.
    let (_socket, closed) = closed_port();
    let lost = line(gateway.directory()).at(closed).run().await;
    lost.says(
        1,
        &[
            "in use by another process",
            "set AISIX_ADMIN__ADDR",
            "AISIX_ADMIN_KEY",
        ],
    );
    let unknown = line(gateway.directory())
        .at(addr)
        .env("AISIX_ADMIN__ADMIN_KEYS", "")
        .run()
        .await;
    unknown.says(1, &["wants an admin key: set AISIX_ADMIN_KEY"]);

    let directory = gateway.kill().await;
    line(directory.path())
        .at(addr)
        .run()
        .await
        .says(0, &["in this process", "idle"]);
    let empty = tempfile::tempdir().expect("a temporary directory");
    let config = directory.path().join("config.yaml");
    std::fs::copy(config, empty.path().join("config.yaml")).expect("the directory is writable");
    line(empty.path())
        .at(addr)
        .run()
        .await
        .says(1, &["there is no data directory aisix-data"]);
    assert!(
        !empty.path().join("aisix-data").exists(),
        "looking makes nothing"
    );
}

/// An address where nobody listens, as long as the socket has it.
fn closed_port() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind(([127, 0, 0, 1], 0).into())
        .expect("a free port");
    let addr = socket.local_addr().expect("it is bound");
    (socket, addr)
}

#[tokio::test]
async fn the_command_line_asks_by_tls() {
    let (_upstream, setup) = setup().await;
    let files = tempfile::tempdir().expect("a temporary directory");
    let (cert, key) = Certificate::new("localhost").write(files.path());
    let tls = json!({"admin": {"tls": {"cert_file": cert, "key_file": key}}});
    let gateway = Gateway::start(setup.config(tls)).await;
    let addr = gateway.admin().await;
    let line = Line::new(gateway.directory(), &["--key", LIMITED, "--model", "text"]);
    let url = format!("https://localhost:{}", addr.port());
    line.at(addr)
        .run()
        .await
        .says(0, &["would be sent to openai", &url]);
}

#[tokio::test]
async fn the_resources_of_a_cluster_are_read_from_where_they_are() {
    let etcd = Etcd::start().await;
    let gateway = Gateway::start(Setup::embedded().config(etcd.block())).await;
    let (admin, addr) = (gateway.administrator().await, gateway.admin().await);
    let mock =
        json!({"name": "mock", "model": "mock/mock", "provider_config": {"api_key": "none"}});
    assert_eq!(admin.post("/aisix/admin/models", &mock).await.status, 201);
    let key = json!({"key": KEY, "allowed_models": ["*"]});
    assert_eq!(admin.post("/aisix/admin/api_keys", &key).await.status, 201);
    let directory = gateway.kill().await;
    let line = Line::new(directory.path(), &["--key", KEY, "--model", "mock"]);
    line.at(addr)
        .run()
        .await
        .says(0, &["would be sent to mock", "idle"]);
}
