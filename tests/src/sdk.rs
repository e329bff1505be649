//! Runs a script of checks under an official SDK.
//!
//! Scripts live in `tests/sdk/<language>`; the SDKs are installed into `target/sdk` by `.ci/sdk`. A
//! script finds its server in `OPENAI_BASE_URL` and `OPENAI_API_KEY`, or the same of `ANTHROPIC`, checks
//! by itself, and closes with `OK <n> checks`. Between, it may print `WAIT <what>` and go on when a line comes on its stdin, so
//! that the test can look at the other side while the script holds still.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::within;

/// The language of an SDK.
#[derive(Clone, Copy, Debug)]
pub enum Language {
    /// The packages `openai` and `anthropic` of PyPI.
    Python,
    /// The packages `openai` and `@anthropic-ai/sdk` of npm.
    Node,
}

/// A running script.
#[derive(Debug)]
pub struct Sdk {
    child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    printed: String,
}

impl Language {
    fn command(self, script: &str) -> Command {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        // The target folder is wherever this test was built: <target>/<profile>/deps/<test>.
        let test = std::env::current_exe().expect("a running test has a path");
        let installed = test
            .ancestors()
            .nth(3)
            .expect("a target folder")
            .join("sdk");
        let (program, needed, script): (PathBuf, PathBuf, PathBuf) = match self {
            Self::Python => {
                let python = installed.join("python/bin/python");
                (
                    python,
                    installed.join("python/.installed"),
                    tests.join(format!("sdk/python/{script}.py")),
                )
            }
            Self::Node => {
                let script = tests.join(format!("sdk/node/{script}.mjs"));
                ("node".into(), installed.join("node/.installed"), script)
            }
        };
        assert!(
            needed.is_file(),
            "no SDK at {}: run `.ci/sdk`",
            needed.display()
        );
        let mut command = Command::new(program);
        command
            .arg(script)
            .env("SDK_HOME", installed.join("node"))
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

impl Sdk {
    /// Starts `script` against the server at `base_url`, which may end with `/v1`.
    ///
    /// Panics when the SDK is not installed: a test that was not run must not look as if it had passed.
    #[must_use]
    pub fn start(language: Language, script: &str, base_url: &str, key: &str) -> Self {
        let mut command = language.command(script);
        command
            .env("OPENAI_BASE_URL", base_url)
            .env("OPENAI_API_KEY", key)
            .env("ANTHROPIC_BASE_URL", base_url.trim_end_matches("/v1"))
            .env("ANTHROPIC_API_KEY", key);
        for inherited in [
            "ANTHROPIC_AUTH_TOKEN",
            "ANTHROPIC_CUSTOM_HEADERS",
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
            .unwrap_or_else(|error| panic!("{language:?} does not start: {error}"));
        let stdin = child.stdin.take().expect("piped");
        let stdout = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self {
            child,
            stdin,
            stdout,
            printed: String::new(),
        }
    }

    /// Waits until the script prints `WAIT <what>`; it holds still until [`resume`](Self::resume).
    pub async fn wait(&mut self, what: &str) {
        while let Some(line) = self.line().await {
            if line.strip_prefix("WAIT ") == Some(what) {
                return;
            }
        }
        self.fail(&format!("ended before it came to wait for {what}"))
            .await;
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
        let mut last = None;
        while let Some(line) = self.line().await {
            last = Some(line);
        }
        let checks = last.and_then(|line| {
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
