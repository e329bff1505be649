//! The command line.

mod changes;
mod diff;
mod explain;
mod export;
mod greeting;
mod import;
mod location;
mod place;
mod quickstart;
mod validate;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::{assemble, settings::Settings, source::Resources, telemetry};

/// An AI gateway: one OpenAI-compatible API in front of many providers.
#[derive(Debug, Parser)]
#[command(name = "aisix", version)]
pub(crate) struct Cli {
    /// The configuration file: YAML, TOML or JSON. Without one, serve on 127.0.0.1 and keep everything
    /// in ./aisix-data.
    #[arg(short, long, env = "AISIX_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve on 127.0.0.1 from memory, with a mock model and a fresh key.
    Quickstart,
    /// Check a resources file.
    Validate {
        /// The file to check.
        #[arg(long, value_name = "FILE")]
        resources: PathBuf,
    },
    Export(export::Export),
    Import(import::Import),
    Diff(diff::Diff),
    /// Tell what would become of a request, and why, without sending it.
    ///
    /// Asks the node that runs on this configuration, which knows where limits stand; without one, reads
    /// the configuration here. Ends with 0 when the request would be sent, 3 when it would be refused, and
    /// 1 when that cannot be told.
    Explain(explain::Arguments),
}

// === impl Cli ===

impl Cli {
    /// Does what was asked for.
    pub(crate) fn run(self) -> ExitCode {
        match self.command {
            Some(Command::Validate { resources }) => validate::run(&resources),
            Some(Command::Explain(arguments)) => explain::run(self.config.as_deref(), &arguments),
            Some(Command::Quickstart) => quickstart::run(),
            Some(Command::Export(export)) => ended(export.run(self.config.as_deref()), 1),
            Some(Command::Import(import)) => ended(import.run(self.config.as_deref()), 1),
            Some(Command::Diff(diff)) => ended(diff.run(self.config.as_deref()), 2),
            None => serve(self.config.as_deref()),
        }
    }
}

/// Serves what the settings say; without a file, on this machine only.
fn serve(config: Option<&Path>) -> ExitCode {
    let settings = match config {
        Some(path) => Settings::load(path, std::env::vars()),
        None => Settings::local(std::env::vars()),
    };
    match settings {
        Ok((settings, warnings)) => start(&settings, warnings, |settings| {
            assemble::run(settings, Resources::Settings, |started| {
                greeting::print(settings, started, config.is_none());
            })
        }),
        Err(errors) => {
            for error in errors {
                complain(&error.to_string());
            }
            ExitCode::FAILURE
        }
    }
}

/// Starts the log, passes warnings on, and serves.
fn start(
    settings: &Settings,
    warnings: Vec<crate::settings::Warning>,
    serve: impl FnOnce(&Settings) -> anyhow::Result<()>,
) -> ExitCode {
    telemetry::init(&settings.observability.log_level);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    match serve(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Does something that ends; a failure is told, and ends with this code.
fn ended(command: impl Future<Output = anyhow::Result<ExitCode>>, failure: u8) -> ExitCode {
    // The TLS of this process, towards etcd.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(command));
    ended.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        ExitCode::from(failure)
    })
}

/// Writes what was asked for. Nobody may be reading any more.
fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// What an environment variable holds.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Each on a line of its own.
fn listed(problems: &[String]) -> String {
    problems
        .iter()
        .map(|problem| format!("\n  - {problem}"))
        .collect()
}

/// Tells whoever started the program what is wrong.
#[expect(clippy::print_stderr, reason = "this is what standard error is for")]
pub(crate) fn complain(message: &str) {
    eprintln!("Error: {message}");
}
