//! The real binary `aisix`, started on a configuration of the test's.
//!
//! The harness relies on two things besides the public contract: the log goes to stdout as JSON lines,
//! and each listener, once bound, is told in one of them:
//! `{"message":"listening","listener":"proxy","addr":"127.0.0.1:41234"}` (`proxy`, `metrics`), with
//! any other members beside these.

mod log;
mod setup;

use std::{
    cell::Cell,
    env, fs,
    net::SocketAddr,
    path::PathBuf,
    process::{ExitStatus, Output, Stdio},
};

use rustix::process::{Pid, Resource, Rlimit, kill_process, prlimit};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

pub use rustix::process::Signal;

use self::log::Log;
pub use self::setup::{ADMIN_KEY, KEY, Setup};
use crate::{client::Client, within};

/// A running gateway. Dropping it kills the process.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    stdout: Log,
    stderr: Log,
    directory: TempDir,
    proxy: SocketAddr,
    metrics: SocketAddr,
}

/// The path of the binary: `AISIX_BIN`, else `aisix` in the profile's folder where this test was built.
///
/// Panics with what to do when there is none.
#[must_use]
pub fn binary() -> PathBuf {
    let beside = || {
        let test = env::current_exe().expect("a running test has a path");
        test.ancestors()
            .nth(2)
            .expect("target/<profile>/deps/<test>")
            .join("aisix")
    };
    let binary = env::var_os("AISIX_BIN").map_or_else(beside, PathBuf::from);
    let path = binary.display();
    assert!(
        binary.is_file(),
        "no gateway at {path}: run `cargo build -p aisix-bin`, or set AISIX_BIN"
    );
    binary
}

/// A command that runs the binary with no environment but `PATH`.
#[must_use]
pub fn command() -> Command {
    bare(Command::new(binary()))
}

/// The same by a shell that does something before.
fn shell(script: &str) -> Command {
    let mut command = bare(Command::new("sh"));
    command.args(["-c", &format!("{script}; exec \"$0\" \"$@\"")]);
    command.arg(binary());
    command
}

fn bare(mut command: Command) -> Command {
    command
        .env_clear()
        .envs(env::var_os("PATH").map(|path| ("PATH", path)));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs the binary with these arguments to its end, as for `validate`.
pub async fn run(arguments: &[&str]) -> Output {
    within("the command to end", command().args(arguments).output())
        .await
        .expect("the binary starts")
}

impl Gateway {
    /// Starts the binary and waits until it is ready. Panics with what it printed when it is not.
    pub async fn start(setup: Setup) -> Self {
        Self::try_start(setup)
            .await
            .unwrap_or_else(|printed| panic!("the gateway did not start:\n{printed}"))
    }

    /// Starts the binary; the error is how it ended and all that it printed when it does not listen.
    pub async fn try_start(setup: Setup) -> Result<Self, String> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self::try_start_in(setup, directory).await
    }

    /// The same in a directory in which one has run before.
    pub async fn try_start_in(setup: Setup, directory: TempDir) -> Result<Self, String> {
        let config = setup.write(directory.path());
        let mut command = match setup.before {
            None => command(),
            Some(script) => shell(script),
        };
        command.arg("--config").arg(config).envs(setup.env);
        let gateway = Self::launch(command, directory).await?;
        if setup.config["proxy"]["tls"].is_null() {
            let ready = Client::anonymous(gateway.proxy).get("/readyz").await;
            let printed = gateway.printed();
            assert_eq!(ready.status, 200, "who listens is ready\n{printed}");
        }
        Ok(gateway)
    }

    /// Runs a command that serves, in a directory which is removed with it, until both listeners are
    /// told; otherwise the error is how it ended and all that it printed.
    pub async fn launch(mut command: Command, directory: TempDir) -> Result<Self, String> {
        command.current_dir(directory.path());
        let mut child = command.spawn().expect("the binary starts");
        let stdout = Log::of(child.stdout.take().expect("piped"));
        let stderr = Log::of(child.stderr.take().expect("piped"));
        let (Some(proxy), Some(metrics)) = (
            listening(&stdout, "proxy").await,
            listening(&stdout, "metrics").await,
        ) else {
            within("the end of stderr", stderr.ended()).await;
            let ended = within("the end of the process", child.wait()).await;
            let ended = ended.expect("the process is ours");
            return Err(format!("{ended}\n{}\n{}", stdout.text(), stderr.text()));
        };
        Ok(Self {
            child,
            stdout,
            stderr,
            directory,
            proxy,
            metrics,
        })
    }

    /// The address of the proxy listener.
    #[must_use]
    pub fn proxy(&self) -> SocketAddr {
        self.proxy
    }

    /// The base URL that an OpenAI SDK is given.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.proxy)
    }

    /// The address of the metrics listener.
    #[must_use]
    pub fn metrics_listener(&self) -> SocketAddr {
        self.metrics
    }

    /// The address of the admin listener.
    pub async fn admin(&self) -> SocketAddr {
        let addr = listening(&self.stdout, "admin").await;
        addr.unwrap_or_else(|| panic!("no admin listener:\n{}", self.printed()))
    }

    /// A client of the admin listener with [`ADMIN_KEY`].
    pub async fn administrator(&self) -> Client {
        let client = Client::anonymous(self.admin().await);
        client.header("authorization", &format!("Bearer {ADMIN_KEY}"))
    }

    /// Kills the process with SIGKILL, and gives its directory back.
    pub async fn kill(mut self) -> TempDir {
        self.child.start_kill().expect("the process is ours");
        self.exited().await;
        self.directory
    }

    /// Has the process stop by itself, and gives its directory back.
    pub async fn stop(mut self) -> TempDir {
        self.signal(Signal::TERM);
        self.exited().await;
        self.directory
    }

    /// The directory that the process runs in.
    #[must_use]
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Waits for a line on stdout that is no JSON and that `wanted` accepts.
    pub async fn told(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let line = within(what, self.stdout.line(wanted)).await;
        line.unwrap_or_else(|| panic!("{what} is not told:\n{}", self.printed()))
    }

    /// The text of the metrics listener now.
    pub async fn metrics(&self) -> String {
        let answer = Client::anonymous(self.metrics).get("/metrics").await;
        answer.text().await
    }

    /// Waits for a JSON line of the log that `wanted` accepts. Panics when the process ends without it.
    pub async fn logged(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let line = within(&format!("{what} in the log"), self.stdout.find(wanted)).await;
        line.unwrap_or_else(|| panic!("{what} is not in the log:\n{}", self.printed()))
    }

    /// The access log's line of the request with this id.
    pub async fn access_log(&self, request_id: &str) -> Value {
        let of_request = |line: &Value| {
            line["message"] == "proxy request completed" && line["request_id"] == request_id
        };
        self.logged("the access log line", of_request).await
    }

    /// Every JSON line of the log so far.
    #[must_use]
    pub fn log(&self) -> Vec<Value> {
        self.stdout.json()
    }

    /// Everything printed so far, to show or to search for secrets.
    #[must_use]
    pub fn printed(&self) -> String {
        format!("{}\n{}", self.stdout.text(), self.stderr.text())
    }

    /// Replaces the resources file, in one step. The gateway notices by itself, or by `Signal::HUP`.
    pub fn write_resources(&self, setup: &Setup) {
        let new = self.directory.path().join("resources.new");
        fs::write(&new, setup.resources()).expect("the directory is writable");
        fs::rename(new, self.resources_file()).expect("same directory");
    }

    /// The file that [`write_resources`](Self::write_resources) replaces.
    #[must_use]
    pub fn resources_file(&self) -> PathBuf {
        self.directory.path().join("resources.yaml")
    }

    /// Waits until the log has told this many reloads.
    pub async fn reloaded(&self, times: usize) {
        let seen = Cell::new(0);
        let counted = |line: &Value| {
            let told = line["message"] == "resources file reloaded";
            seen.set(seen.get() + usize::from(told));
            seen.get() == times
        };
        self.logged("the reload", counted).await;
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid().cast_signed());
        kill_process(pid.expect("no process has number 0"), signal).expect("the process is ours");
    }

    /// The memory of the process that is resident now, in KiB.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("the process runs on Linux");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = resident.and_then(|text| text.trim().strip_suffix(" kB"));
        number
            .and_then(|text| text.parse().ok())
            .expect("a number of kB")
    }

    /// Lets the process write files of any size, whatever its limit was.
    pub fn unlimit_files(&self) {
        let pid = Pid::from_raw(self.pid().cast_signed());
        let limit = Rlimit {
            current: None,
            maximum: None,
        };
        prlimit(pid, Resource::Fsize, limit).expect("the process is ours");
    }

    fn pid(&self) -> u32 {
        let pid = self.child.id();
        pid.expect("the process has not been waited for")
    }

    /// Waits until the proxy has given its port back.
    pub async fn refuses_connections(&self) {
        let refused = async { while TcpStream::connect(self.proxy).await.is_ok() {} };
        within("the port to be given back", refused).await;
    }

    /// Waits for the process to end by itself.
    pub async fn exited(&mut self) -> ExitStatus {
        within("the gateway to exit", self.child.wait())
            .await
            .expect("the process is ours")
    }
}

async fn listening(log: &Log, listener: &str) -> Option<SocketAddr> {
    let told = |line: &Value| line["message"] == "listening" && line["listener"] == listener;
    let line = within(&format!("the {listener} listener"), log.find(told)).await?;
    let addr = line["addr"].as_str().and_then(|addr| addr.parse().ok());
    Some(addr.unwrap_or_else(|| panic!("no address in {line}")))
}
