//! Measures a running `aisix` beside three baselines: what a call costs in CPU, latency and memory.
//!
//! # Run it
//!
//! ```text
//! apt-get install nginx-light                       # the nginx baseline; setpriv and taskset are in util-linux
//! cargo build --release -p aisix-bin                # the subject as it ships (needs 2 cores and a quiet machine)
//! cargo build --release -p aisix-load
//! target/release/aisix-load run                     # about 10 minutes; Markdown on stdout, JSON in target/
//! target/release/aisix-load soak                    # 200 000 calls, then a burst of large bodies
//! target/release/aisix-load control propagation     # changes in etcd until three gateways serve them
//! target/release/aisix-load control scale           # 100 000 API keys and 10 000 models in etcd
//! target/release/aisix-load control embedded        # 100 000 API keys through the Admin API
//! target/release/aisix-load hooks                   # what each hook costs, and ten of them
//! target/release/aisix-load routing                 # models with several targets: shares, faults, cost
//! target/release/aisix-load limits                  # three gateways over one Redis at ten times their limit
//! ```
//!
//! While developing, `--profile bench` builds both faster (and into the same `target/release`), and
//! `run --rounds 1 --scale 0.2` takes half a minute. `--enforce` turns a missed aim, a voided window or a
//! skipped subject into exit code 1. `run --help` lists the rest.
//!
//! # What stands where
//!
//! The subject runs alone on core 0; the mock upstream and the load generator share core 1. All
//! subjects live for the whole run and only the one under measurement gets load; a round visits every
//! subject once per scenario, so that a noisy minute hits all of them. Everything is on loopback, on
//! free ports, and dies with this process.
//!
//! | Subject | What it is |
//! |---|---|
//! | `direct` | the load generator straight to the mock upstream: what "added" is relative to |
//! | `nginx` | one worker, `proxy_buffering off`, keep-alive upstream, no access log |
//! | `bare` | `aisix-load proxy`: hyper's server and hyper-util's client, nothing else; the floor |
//! | `aisix` | one worker, authentication, one rate limit, access log to a file and metrics on |
//!
//! # What each figure means
//!
//! - *CPU*: user and system time of all threads of the subject over a window of calls at a fixed
//!   concurrency (8), divided by the number of calls; from `/proc/<pid>/task/*/schedstat`, or `stat` where
//!   the kernel has no schedstat. *× bare* divides it by the bare proxy's.
//! - *p50, p99*: latency from the first byte written to the last byte read, at concurrency 1. *Added*
//!   subtracts the `direct` figure of the same percentile.
//! - *first*: time to the first byte of the body, for streams the time to the first token; p50 at concurrency 1.
//! - *RSS*: `VmRSS` before the first call, the peak (`VmHWM`) over the run, and `VmRSS` ten seconds after it.
//!
//! The kinds of call that are translated (`to-anthropic`, `from-anthropic`, `to-gemini` and their bursts) have a table
//! of their own, beside the calls that say the same and are passed on, measured in the same rounds: an answer may
//! cost 1.5 times as much, an event of a stream 2 µs more. Other subjects pass them on, and so tell nothing of it:
//! `--subjects aisix` leaves them out.
//!
//! Every figure is the median over the rounds. A call that fails, has another status than 200 or an
//! incomplete body voids its whole window: it is listed, and the figure comes from the others.
//!
//! Added latency holds two wake-ups across cores, which `direct` does not need: read it beside `bare`
//! and `nginx`, which pay them too. A paced stream lasts as long as its pace says, so only its CPU and
//! its first token tell subjects apart. With other work on the machine p99 is that work's.
//!
//! `soak` prints the RSS of one subject at each point. It counts as grown when it holds over 1 MiB more
//! after all small calls than after a tenth of them, and as not recovered when it is over 8 MiB above
//! idle ten seconds after the burst.
//!
//! `control` measures the control plane; see [`control`]. What it needs besides is etcd (Debian package `etcd-server`).
//! `hooks` measures chains, see [`hooks`]; `routing` models that stand for others, see [`routing`]; `limits` measures limits that gateways share, see [`limits`], and needs
//! Redis (Debian package `redis-server`).

mod bench;
mod client;
mod control;
mod crew;
mod hooks;
mod limits;
mod process;
mod prompt;
mod proxy;
mod report;
mod rig;
mod routing;
mod scenario;
mod serve;
mod soak;
mod stats;
mod subject;
mod table;
mod upstream;
mod window;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// Load scenarios of AISIX beside their baselines.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the mock upstream on a free port and print its address
    Upstream,
    /// Serve the bare proxy, which forwards everything to one address and does nothing else
    Proxy(proxy::Options),
    /// Measure all subjects in all scenarios and print the table
    Run(bench::Options),
    /// Watch the memory of one subject over many calls and a burst of large bodies
    Soak(soak::Options),
    /// Measure what changes of the configuration cost, and much of it
    #[command(subcommand)]
    Control(control::Control),
    /// Measure the CPU time of chains of hooks
    Hooks(hooks::Options),
    /// Measure what models with several targets do under load, and what they cost
    Routing(routing::Options),
    /// Measure how exact limits are that several gateways share, and what they cost
    Limits(limits::Options),
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(run(arguments.command))
}

/// Runs one command until it ends or the process is told to stop; either way its children are dropped, which kills them.
async fn run(command: Command) -> Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let work = async {
        match command {
            Command::Upstream => upstream::run().await,
            Command::Proxy(options) => proxy::run(options).await,
            Command::Run(options) => bench::run(options).await,
            Command::Soak(options) => soak::run(options).await,
            Command::Control(what) => what.run().await,
            Command::Hooks(options) => hooks::run(options).await,
            Command::Routing(options) => routing::run(options).await,
            Command::Limits(options) => limits::run(options).await,
        }
    };
    tokio::select! {
        ended = work => ended,
        _ = interrupt.recv() => bail!("interrupted"),
        _ = terminate.recv() => bail!("terminated"),
    }
}
