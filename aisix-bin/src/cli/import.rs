//! `aisix import FROM [--to LOCATION]`

use std::{collections::HashSet, path::Path, process::ExitCode};

use aisix_admin::import::Plan;
use aisix_core::config::{
    ConfigStore, Entry, Key,
    store::{Listing, StoreErrorKind},
};
use aisix_sources::file::Held;
use anyhow::{Context, bail};
use clap::Args;

use super::{
    changes::{By, Differences, comparable, differences},
    location::EtcdFlags,
    place::{Opening, Place, Purpose},
};
use crate::{assemble, resources};

/// How often it is planned anew because somebody else was quicker.
const ATTEMPTS: usize = 8;

/// Who the history says it was.
const BY: &str = "import";

/// Bring resources into a store. All of them are checked before the first is written.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// A resources file, or any other location.
    from: String,
    /// The data directory or `etcd://…` to write to. Default: where the configuration says.
    #[arg(long, value_name = "LOCATION")]
    to: Option<String>,
    /// Only tell what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Delete what is there and not in what is imported.
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    flags: EtcdFlags,
}

// === impl Import ===

impl Import {
    /// Writes, and tells what has changed.
    pub(super) async fn run(self, config: Option<&Path>) -> anyhow::Result<ExitCode> {
        let opening = Opening {
            flags: &self.flags,
            config,
        };
        let from = opening.open(Some(&self.from), Purpose::Read)?;
        let purpose = match self.dry_run {
            true => Purpose::DryRun,
            false => Purpose::Write,
        };
        let to = opening.open(self.to.as_deref(), purpose)?;
        let store = to.store()?;
        for attempt in 1.. {
            let held = store.list(None).await?;
            let plan = self.plan(&from, &held).await?;
            let told = told(&held, &plan);
            if self.dry_run {
                report(&told, &plan, "nothing was written: this is a dry run");
                break;
            }
            match plan.commit(store, BY).await {
                Ok(_) => {
                    report(&told, &plan, &written(&plan, store, &to));
                    break;
                }
                Err(error) if error.kind() == StoreErrorKind::Conflict && attempt < ATTEMPTS => {}
                Err(error) => {
                    let commits = plan.commits(store);
                    return Err(error).context(match commits {
                        0 | 1 => "nothing was written".to_owned(),
                        _ => format!("of {commits} commits some may be made: import once more"),
                    });
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn plan(&self, from: &Place, held: &Listing) -> anyhow::Result<Plan> {
        let there: Vec<Entry> = entries(held);
        let beside = Held {
            entries: &there,
            stays: !self.prune,
        };
        let contents = from.contents(beside, &super::variable).await?;
        if !contents.problems.is_empty() {
            bail!(
                "{} cannot be read:{}",
                from.name,
                super::listed(&contents.problems)
            );
        }
        let chains = resources::chains(&assemble::known().build());
        let wrong = contents.entries.iter().flat_map(|entry| {
            let wrong = chains(entry).into_iter();
            wrong.map(move |wrong| format!("{}: {wrong}", entry.key))
        });
        let wrong: Vec<String> = wrong.collect();
        if !wrong.is_empty() {
            bail!("{} cannot be imported:{}", from.name, super::listed(&wrong));
        }
        Plan::new(held, contents.entries, self.prune)
            .map_err(|refused| anyhow::anyhow!("{}: {refused}", from.name))
    }
}

fn entries(listing: &Listing) -> Vec<Entry> {
    let entries = listing.entries.iter();
    entries.map(|stored| stored.entry.clone()).collect()
}

/// What the plan comes to.
fn told(held: &Listing, plan: &Plan) -> Differences {
    let before = entries(held);
    let changed: HashSet<&Key> = plan.changes().iter().map(|it| &it.key).collect();
    let mut after: Vec<Entry> = before.clone();
    after.retain(|entry| !changed.contains(&entry.key));
    after.extend(plan.changes().iter().filter_map(|changed| {
        let value = changed.after.clone()?;
        Some(Entry::new(changed.key.kind, changed.key.id.clone(), value))
    }));
    let (before, after) = (comparable(&before, By::Name), comparable(&after, By::Name));
    differences(&before, &after, &|_, _| None)
}

fn written(plan: &Plan, store: &dyn ConfigStore, to: &Place) -> String {
    match plan.commits(store) {
        0 => format!("{} stays as it is", to.name),
        1 => format!("written to {}", to.name),
        commits => format!(
            "written to {} as {commits} commits, because it takes {} resources at once",
            to.name,
            store.most_at_once()
        ),
    }
}

fn report(told: &Differences, plan: &Plan, ending: &str) {
    let counted = told.counted();
    let unchanged = plan.unchanged();
    super::say(&format!(
        "{}{counted}, {unchanged} unchanged; {ending}\n",
        told.text
    ));
}
