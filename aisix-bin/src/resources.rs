//! Following the resources while the process runs.

use std::path::Path;

use aisix_core::config::{Change, Config, SourceError};
use aisix_sources::file::{Reloader, Watch};
use anyhow::Context;
use futures_util::StreamExt;

/// What is followed after the start.
pub(crate) enum Follow {
    /// Nothing will change.
    Nothing,
    /// A file.
    File(Watch, Reloader),
}

// === impl Follow ===

impl Follow {
    /// Reads a file for the first time, to be followed from there on.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file.
    pub(crate) async fn file(path: &Path) -> anyhow::Result<(Change, Self)> {
        let mut watch = Watch::new(path, variable)?;
        let reloader = watch.reloader();
        let first = watch.next().await.context("the file is not read")?;
        Ok((first?, Self::File(watch, reloader)))
    }

    /// What a SIGHUP does.
    pub(crate) fn reload(&self) -> impl FnMut() + use<> {
        let reloader = match self {
            Self::Nothing => None,
            Self::File(_, reloader) => Some(reloader.clone()),
        };
        move || match &reloader {
            Some(reloader) => reloader.reload(),
            None => tracing::info!("there is nothing to reload"),
        }
    }

    /// Applies changes as they come. Never ends.
    pub(crate) async fn run(self, config: &Config) {
        if let Self::File(watch, _) = self {
            config.follow(watch.filter_map(async |item| told(item))).await;
        }
        std::future::pending().await
    }
}

/// Says what came of a reading. A refused file changes nothing.
fn told(item: Result<Change, SourceError>) -> Option<Result<Change, SourceError>> {
    match &item {
        Ok(_) => tracing::info!("resources file reloaded"),
        Err(error) => tracing::warn!(
            %error,
            "resources file reload failed — keeping the previous snapshot"
        ),
    }
    item.is_ok().then_some(item)
}

/// What an environment variable holds.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
