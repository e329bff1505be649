//! The command line.

mod quickstart;
mod validate;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{assemble, settings::Settings, telemetry};

/// An AI gateway: one OpenAI-compatible API in front of many providers.
#[derive(Debug, Parser)]
#[command(name = "aisix", version)]
pub(crate) struct Cli {
    /// The configuration file: YAML, TOML or JSON.
    #[arg(short, long, env = "AISIX_CONFIG", value_name = "FILE")]
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
}

// === impl Cli ===

impl Cli {
    /// Does what was asked for.
    pub(crate) fn run(self) -> ExitCode {
        match self.command {
            Some(Command::Validate { resources }) => validate::run(&resources),
            Some(Command::Quickstart) => quickstart::run(),
            None => match self.config {
                Some(config) => serve(&config),
                None => {
                    complain(
                        "there is nothing to serve: name a configuration file with --config, or try `aisix quickstart`",
                    );
                    ExitCode::from(2)
                }
            },
        }
    }
}

fn serve(config: &std::path::Path) -> ExitCode {
    match Settings::load(Some(config), std::env::vars()) {
        Ok((settings, warnings)) => start(&settings, warnings, |settings| {
            assemble::run(settings, assemble::Resources::File, |_| {})
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

/// Tells whoever started the program what is wrong.
#[expect(clippy::print_stderr, reason = "this is what standard error is for")]
pub(crate) fn complain(message: &str) {
    eprintln!("Error: {message}");
}
