//! `aisix export [LOCATION]`

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use aisix_sources::file::{Form, Held, Secrets, Written, write};
use anyhow::Context;
use clap::Args;

use super::{
    location::{Address, EtcdFlags, Location},
    place::{Opening, Purpose},
};

/// Write what is at a location as a resources file: names for ids, `${VARIABLE}` for secrets.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// A file, a data directory, or `etcd://[USER@]HOST:PORT[,HOST:PORT…][/PREFIX]` (`etcds://` with TLS).
    /// Default: where the configuration says.
    location: Option<String>,
    /// The same as a location in etcd: its members.
    #[arg(
        long,
        value_name = "ENDPOINT",
        value_delimiter = ',',
        conflicts_with = "location"
    )]
    etcd: Vec<String>,
    /// What resources stand below in etcd, beside `--etcd`.
    #[arg(
        long,
        value_name = "PREFIX",
        default_value = "/aisix",
        requires = "etcd"
    )]
    prefix: String,
    /// Write secrets themselves. Guard the file then.
    #[arg(long)]
    reveal_secrets: bool,
    /// The file to write, which only its owner can read. Default: standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the id of each resource too; only `aisix import` reads such a file.
    #[arg(long)]
    ids: bool,
    /// Leave out what a file cannot say, instead of writing nothing.
    #[arg(long)]
    skip_invalid: bool,
    #[command(flatten)]
    flags: EtcdFlags,
}

// === impl Export ===

impl Export {
    /// Writes the file; what is needed to read it is told on standard error.
    pub(super) async fn run(self, config: Option<&Path>) -> anyhow::Result<ExitCode> {
        let opening = Opening {
            flags: &self.flags,
            config,
        };
        let place = match self.etcd.is_empty() {
            true => opening.open(self.location.as_deref(), Purpose::Read)?,
            false => {
                let address = Address::of(self.etcd.clone(), &self.prefix);
                opening.open_at(Location::Etcd(address), Purpose::Read)?
            }
        };
        let contents = place.contents(Held::NOTHING, &super::variable).await?;
        let written = write(&contents.entries, self.form());
        let mut problems = contents.problems;
        for problem in &written.problems {
            problems.push(format!("{}: {}", problem.scope, problem.message));
        }
        if !problems.is_empty() && !self.skip_invalid {
            let count = problems.len();
            anyhow::bail!(
                "{}: {count} thing(s) that a file cannot say:{}\nNothing was written; `--skip-invalid` leaves \
                 them out",
                place.name,
                super::listed(&problems)
            );
        }
        self.put(&written.text)?;
        self.tell(&written, &problems);
        Ok(ExitCode::SUCCESS)
    }

    fn form(&self) -> Form {
        Form {
            secrets: match self.reveal_secrets {
                true => Secrets::Revealed,
                false => Secrets::Variables,
            },
            ids: self.ids,
        }
    }

    fn put(&self, text: &str) -> anyhow::Result<()> {
        match &self.output {
            None => std::io::stdout()
                .write_all(text.as_bytes())
                .context("standard output"),
            Some(path) => {
                replace(path, text).with_context(|| format!("cannot write {}", path.display()))
            }
        }
    }

    #[expect(clippy::print_stderr, reason = "standard output may be the file")]
    fn tell(&self, written: &Written, problems: &[String]) {
        if !problems.is_empty() {
            eprintln!("Left out:{}", super::listed(problems));
        }
        if let Some(path) = &self.output {
            eprintln!(
                "{} resource(s) written to {}",
                written.count,
                path.display()
            );
        }
        if !written.variables.is_empty() {
            eprintln!("Whoever reads it needs these environment variables:");
        }
        for needed in &written.variables {
            eprintln!("  {}  {}", needed.name, needed.field);
        }
    }
}

/// Writes a file in one step. Only its owner can read it.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
