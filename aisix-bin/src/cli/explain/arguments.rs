//! What is asked on the command line.

use std::{
    convert::Infallible,
    fs,
    io::{self, Read},
    net::IpAddr,
    path::{Path, PathBuf},
};

use aisix_core::{config::Secret, explain::Question};
use anyhow::Context;
use serde_json::{Map, Value};

/// Holds the caller's credential, so that it need not stand among the arguments, which others can see.
const KEY_VARIABLE: &str = "AISIX_KEY";

/// The arguments of `aisix explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The caller's credential; `-` reads it from standard input. Without it and --key-id, the variable
    /// AISIX_KEY is taken.
    #[arg(long, value_name = "KEY", value_parser = secret, conflicts_with = "key_id")]
    key: Option<Secret>,
    /// The id of the caller's API key, in place of its credential.
    #[arg(long, value_name = "ID")]
    key_id: Option<String>,
    /// The model, as the caller would name it. Not needed with a body, which names its own.
    #[arg(long, value_name = "NAME", required_unless_present = "body")]
    model: Option<String>,
    /// The request's body; `-` reads it from standard input. Default: a minimal one.
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// The endpoint, by path or name. Default: /v1/chat/completions.
    #[arg(long, value_name = "PATH")]
    operation: Option<String>,
    /// The client's address. Default: 127.0.0.1.
    #[arg(long, value_name = "ADDRESS")]
    client: Option<IpAddr>,
    /// Print what the Admin API answers.
    #[arg(long)]
    pub(super) json: bool,
}

/// The arguments with what they point at.
pub(super) struct Asked {
    who: Who,
    model: Option<String>,
    body: Option<String>,
    operation: Option<String>,
    client: Option<IpAddr>,
}

enum Who {
    Key(Secret),
    KeyId(String),
}

fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

// === impl Asked ===

impl Asked {
    /// Reads what the arguments point at.
    pub(super) fn read(arguments: &Arguments) -> anyhow::Result<Self> {
        let is_input = |key: &Secret| key.expose() == "-";
        let body = arguments.body.as_deref();
        if arguments.key.as_ref().is_some_and(is_input) && body == Some(Path::new("-")) {
            anyhow::bail!("key and body cannot both be read from standard input");
        }
        let who = match (&arguments.key, &arguments.key_id) {
            (_, Some(id)) => Who::KeyId(id.clone()),
            (Some(key), None) if is_input(key) => Who::Key(Secret::new(input()?.trim())),
            (Some(key), None) => Who::Key(key.clone()),
            (None, None) => {
                let key = std::env::var(KEY_VARIABLE).ok();
                let missing = || format!("give --key, --key-id, or {KEY_VARIABLE}");
                Who::Key(Secret::new(key.with_context(missing)?.trim()))
            }
        };
        let body = body.map(|path| match path == Path::new("-") {
            true => input(),
            false => {
                fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
            }
        });
        Ok(Self {
            who,
            model: arguments.model.clone(),
            body: body.transpose()?,
            operation: arguments.operation.clone(),
            client: arguments.client,
        })
    }

    /// As the Admin API is asked.
    pub(super) fn to_json(&self) -> Value {
        let who = match &self.who {
            Who::Key(key) => ("key", key.expose()),
            Who::KeyId(id) => ("key_id", id.as_str()),
        };
        let client = self.client.map(|client| client.to_string());
        let members = [
            ("model", self.model.as_deref()),
            ("body", self.body.as_deref()),
            ("operation", self.operation.as_deref()),
            ("client", client.as_deref()),
        ];
        let members = members
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?)));
        let members = std::iter::once(who).chain(members);
        let members = members.map(|(name, text)| (name.to_owned(), text.into()));
        Value::Object(members.collect::<Map<_, _>>())
    }

    /// As an explainer is asked.
    pub(super) fn into_question(self) -> Question {
        let mut question = match self.who {
            Who::Key(key) => Question::new().key(key.expose()),
            Who::KeyId(id) => Question::new().key_id(id),
        };
        if let Some(model) = self.model {
            question = question.model(model);
        }
        if let Some(body) = self.body {
            question = question.body(body);
        }
        if let Some(operation) = self.operation {
            question = question.operation(operation);
        }
        if let Some(client) = self.client {
            question = question.client(client);
        }
        question
    }
}

fn input() -> anyhow::Result<String> {
    let mut text = String::new();
    let read = io::stdin().read_to_string(&mut text);
    read.context("cannot read standard input")?;
    Ok(text)
}
