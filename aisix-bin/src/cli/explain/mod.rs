//! `aisix explain`: what would become of a request, and why.

mod arguments;
mod here;
mod node;
#[cfg(test)]
mod tests;
mod text;

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use serde_json::Value;

pub(crate) use self::arguments::Arguments;
use self::{arguments::Asked, text::Told};
use super::complain;
use crate::settings::Settings;

/// The exit code for a request that would be refused.
const REFUSED: u8 = 3;

/// Asks the node that runs on this configuration, or reads the configuration here, and prints the
/// explanation.
pub(crate) fn run(config: Option<&Path>, arguments: &Arguments) -> ExitCode {
    let settings = match config {
        Some(path) => Settings::load(path, std::env::vars()),
        None => Settings::local(std::env::vars()),
    };
    let settings = match settings {
        // Whoever serves with them is warned.
        Ok((settings, _warnings)) => settings,
        Err(errors) => {
            for error in errors {
                complain(&error.to_string());
            }
            return ExitCode::FAILURE;
        }
    };
    match explain(&settings, arguments) {
        Ok(told) => print(&told, arguments.json),
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn explain(settings: &Settings, arguments: &Arguments) -> anyhow::Result<Told> {
    // For a listener with TLS, and for etcd.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let asked = Asked::read(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match node::explain(settings, &asked).await? {
            Some(told) => Ok(told),
            None => here::explain(settings, asked).await,
        }
    })
}

fn print(told: &Told, as_json: bool) -> ExitCode {
    let text = match as_json {
        true => format!("{:#}\n", told.explanation),
        false => told.to_string(),
    };
    // A closed pipe changes nothing about what the exit code says.
    let _ = io::stdout().write_all(text.as_bytes());
    if let (true, Some(note)) = (as_json, told.note()) {
        let _ = writeln!(io::stderr(), "Note: {note}");
    }
    match told.explanation["outcome"]["sent"] == Value::Bool(true) {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(REFUSED),
    }
}
