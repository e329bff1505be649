//! Runs a script of checks under an official SDK.
//!
//! Scripts live in `tests/sdk/<language>`; the SDKs are installed into `target/sdk` by `.ci/sdk`. A
//! script finds its server in the variables that its SDK reads, and in `SDK_FACTS` what it must know of who
//! serves it. It checks by itself, and closes with `OK <n> checks`. Between, it may print `WAIT <what>` and go on
//! when a line comes on its stdin, so that the test can look at the other side while the script holds still.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::within;

/// Whose SDKs speak.
#[derive(Clone, Copy, Debug)]
pub enum Family {
    /// `openai`, `anthropic` and `google-genai` of PyPI.
    Python,
    /// `openai`, `@anthropic-ai/sdk` and `@google/genai` of npm.
    Node,
    /// `ai` of npm with `@ai-sdk/openai`, `@ai-sdk/anthropic` and `@ai-sdk/google`; one script for all
    /// dialects.
    Vercel,
}

/// What an SDK speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI's chat completions, and what else its SDK does besides responses.
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// Gemini's own API.
    Gemini,
}

/// A running script.
#[derive(Debug)]
pub struct Sdk {
    child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    printed: String,
}

impl Dialect {
    /// The name of its script.
    #[must_use]
    pub fn script(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Gemini => "gemini",
        }
    }
}

impl Family {
    fn command(self, script: &str) -> Command {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk");
        // The target folder is wherever this test was built: <target>/<profile>/deps/<test>.
        let test = std::env::current_exe().expect("a running test has a path");
        let installed = test
            .ancestors()
            .nth(3)
            .expect("a target folder")
            .join("sdk");
        let (python, node) = (installed.join("python"), installed.join("node"));
        let (program, home, file): (PathBuf, _, _) = match self {
            Self::Python => (
                python.join("bin/python"),
                &python,
                format!("python/{script}.py"),
            ),
            Self::Node => ("node".into(), &node, format!("node/{script}.mjs")),
            Self::Vercel => ("node".into(), &node, "node/vercel.mjs".to_owned()),
        };
        assert!(
            home.join(".installed").is_file(),
            "no SDK at {}: run `.ci/sdk`",
            home.display()
        );
        let mut command = Command::new(program);
        command
            .arg(scripts.join(file))
            .env("SDK_SCRIPT", script)
            .env("SDK_HOME", node)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

impl Sdk {
    /// Starts `script`, named after a dialect, against the server at `addr`.
    ///
    /// Panics when the SDK is not installed: a test that was not run must not look as if it had passed.
    #[must_use]
    pub fn start(family: Family, script: &str, addr: SocketAddr, key: &str, facts: &Value) -> Self {
        let mut command = family.command(script);
        let root = format!("http://{addr}");
        command
            .env("OPENAI_BASE_URL", format!("{root}/v1"))
            .env("OPENAI_API_KEY", key)
            .env("ANTHROPIC_BASE_URL", &root)
            .env("ANTHROPIC_API_KEY", key)
            .env("GOOGLE_GEMINI_BASE_URL", &root)
            .env("GEMINI_API_KEY", key)
            .env("SDK_FACTS", facts.to_string());
        for inherited in [
            "ANTHROPIC_AUTH_TOKEN",
            "ANTHROPIC_CUSTOM_HEADERS",
            "GOOGLE_API_KEY",
            "GOOGLE_GENAI_USE_VERTEXAI",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "ALL_PROXY",
            "http_proxy",
            "https_proxy",
            "all_proxy",
        ] {
            command.env_remove(inherited);
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{family:?} does not start: {error}"));
        let stdin = child.stdin.take().expect("piped");
        let stdout = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self {
            child,
            stdin,
            stdout,
            printed: String::new(),
        }
    }

    /// Waits until the script prints `WAIT <what>`, and says what; it holds still until
    /// [`resume`](Self::resume). `None` when the script came to its end.
    pub async fn wait(&mut self) -> Option<String> {
        while let Some(line) = self.line().await {
            if let Some(what) = line.strip_prefix("WAIT ") {
                return Some(what.to_owned());
            }
        }
        None
    }

    /// Lets a waiting script go on.
    pub async fn resume(&mut self) {
        self.stdin
            .write_all(b"\n")
            .await
            .expect("the script reads its stdin");
    }

    /// Waits for the end of the script and returns how many checks passed. Panics when one did not.
    pub async fn passed(mut self) -> usize {
        while self.line().await.is_some() {}
        let checks = self.printed.lines().last().and_then(|line| {
            line.strip_prefix("OK ")?
                .strip_suffix(" checks")?
                .parse()
                .ok()
        });
        let status = within("the script to exit", self.child.wait())
            .await
            .expect("the process is ours");
        match checks {
            Some(checks) if status.success() && checks > 0 => checks,
            _ => self.fail("did not pass").await,
        }
    }

    async fn line(&mut self) -> Option<String> {
        let line = within("a line of the script", self.stdout.next_line())
            .await
            .expect("the script prints text");
        self.printed
            .extend(line.iter().flat_map(|line| [line.as_str(), "\n"]));
        line
    }

    async fn fail(&mut self, why: &str) -> ! {
        let mut errors = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            stderr.read_to_string(&mut errors).await.ok();
        }
        panic!("the script {why}:\n{}{errors}", self.printed);
    }
}
