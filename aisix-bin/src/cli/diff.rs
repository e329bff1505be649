//! `aisix diff A B`

use std::{cell::RefCell, collections::BTreeMap, path::Path, process::ExitCode};

use aisix_core::config::KeyHash;
use aisix_sources::file::Held;
use clap::Args;
use serde_json::Value;
use uuid::Uuid;

use super::{
    changes::{By, comparable, differences},
    location::EtcdFlags,
    place::{Contents, Opening, Place, Purpose},
};

/// Tell in which resources two locations differ. Exit codes: 0 when they are the same, 1 when they
/// differ, 2 when they cannot be compared.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// A file, a data directory, or `etcd://…`.
    a: String,
    /// Another one.
    b: String,
    /// Tell resources apart by their ids instead of their names.
    #[arg(long)]
    ids: bool,
    #[command(flatten)]
    flags: EtcdFlags,
}

/// Stands for variables that are not set.
struct Unset {
    /// What no secret holds by chance.
    mark: String,
    /// What stands for each variable that was asked for, and its hash.
    asked: RefCell<BTreeMap<String, [String; 2]>>,
}

// === impl Diff ===

impl Diff {
    /// Tells the differences on standard output.
    #[expect(clippy::print_stderr, reason = "what cannot be read is no difference")]
    pub(super) async fn run(self, config: Option<&Path>) -> anyhow::Result<ExitCode> {
        let opening = Opening {
            flags: &self.flags,
            config,
        };
        let (a, b) = (
            opening.open(Some(&self.a), Purpose::Read)?,
            opening.open(Some(&self.b), Purpose::Read)?,
        );
        let unset = Unset::new();
        let (before, after) = (unset.contents(&a).await?, unset.contents(&b).await?);
        for (place, contents) in [(&a, &before), (&b, &after)] {
            if !contents.problems.is_empty() {
                let problems = super::listed(&contents.problems);
                eprintln!("{} holds what is not compared:{problems}", place.name);
            }
        }
        let by = match self.ids {
            true => By::Id,
            false => By::Name,
        };
        let (before, after) = (
            comparable(&before.entries, by),
            comparable(&after.entries, by),
        );
        let told = differences(&before, &after, &|document, path| {
            unset.about(document?, path)
        });
        if !told.text.is_empty() {
            super::say(&format!("--- {}\n+++ {}\n{}", a.name, b.name, told.text));
        }
        Ok(match told.are_none() {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(1),
        })
    }
}

// === impl Unset ===

impl Unset {
    fn new() -> Self {
        Self {
            mark: format!("<unset-{}-", Uuid::new_v4().simple()),
            asked: RefCell::default(),
        }
    }

    /// What is at a place. Secrets whose variables are not set are not known; anything else must be.
    async fn contents(&self, place: &Place) -> anyhow::Result<Contents> {
        let error = match place.contents(Held::NOTHING, &super::variable).await {
            Ok(contents) => return Ok(contents),
            Err(error) => error,
        };
        let env = |name: &str| Some(super::variable(name).unwrap_or_else(|| self.stand_in(name)));
        let Ok(contents) = place.contents(Held::NOTHING, &env).await else {
            return Err(error);
        };
        let mut plain = contents.entries.clone();
        for entry in &mut plain {
            let hide = &mut |_: &str, secret: &mut Value| *secret = Value::Null;
            aisix_core::config::resource::secrets(entry.key.kind, &mut entry.value, hide);
        }
        match plain
            .iter()
            .any(|entry| entry.value.to_string().contains(&self.mark))
        {
            true => Err(error),
            false => Ok(contents),
        }
    }

    fn stand_in(&self, name: &str) -> String {
        let text = format!("{}{name}>", self.mark);
        let hash = KeyHash::of(&text).to_hex();
        let mut asked = self.asked.borrow_mut();
        asked.insert(name.to_owned(), [text.clone(), hash]);
        text
    }

    /// What is said about a field that depends on a variable which is not set.
    fn about(&self, document: &Value, path: &str) -> Option<String> {
        let text = at(document, path)?.to_string();
        let asked = self.asked.borrow();
        let is_in = |stands: &&[String; 2]| stands.iter().any(|it| text.contains(it));
        let (name, _) = asked.iter().find(|(_, stands)| is_in(stands))?;
        Some(format!("is not compared: the variable {name} is not set"))
    }
}

/// The field at a path. Names may hold dots.
fn at<'d>(document: &'d Value, path: &str) -> Option<&'d Value> {
    if path.is_empty() {
        return Some(document);
    }
    document.as_object()?.iter().find_map(|(name, value)| {
        let rest = path.strip_prefix(name.as_str())?;
        match rest.strip_prefix('.') {
            Some(rest) => at(value, rest),
            None => rest.is_empty().then_some(value),
        }
    })
}
