//! `aisix quickstart`: a gateway to try, without an account and without a file.

use std::{net::SocketAddr, process::ExitCode};

use aisix_core::config::{
    Entry, Key,
    resource::{KeyHash, Kind},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::complain;
use crate::{assemble, settings::Settings, source::Resources};

/// A provider that appears when its key is in the environment.
struct Vendor {
    name: &'static str,
    variable: &'static str,
    models: &'static [&'static str],
}

const VENDORS: [Vendor; 4] = [
    Vendor {
        name: "openai",
        variable: "OPENAI_API_KEY",
        models: &["gpt-*", "o1*", "o3*", "o4*", "text-embedding-*"],
    },
    Vendor {
        name: "deepseek",
        variable: "DEEPSEEK_API_KEY",
        models: &["deepseek-*"],
    },
    Vendor {
        name: "anthropic",
        variable: "ANTHROPIC_API_KEY",
        models: &["claude-*"],
    },
    Vendor {
        name: "gemini",
        variable: "GEMINI_API_KEY",
        models: &["gemini-*"],
    },
];

pub(super) fn run() -> ExitCode {
    let (settings, warnings) = match Settings::quickstart(std::env::vars()) {
        Ok(settings) => settings,
        Err(errors) => {
            for error in errors {
                complain(&error.to_string());
            }
            return ExitCode::FAILURE;
        }
    };
    let key = format!("sk-aisix-{}", Uuid::new_v4().simple());
    let vendors: Vec<(&Vendor, String)> = VENDORS
        .iter()
        .filter_map(|vendor| Some((vendor, std::env::var(vendor.variable).ok()?)))
        .filter(|(_, secret)| !secret.trim().is_empty())
        .collect();
    let entries = entries(&key, &vendors);
    super::start(&settings, warnings, |settings| {
        assemble::run(settings, Resources::Memory(entries), |started| {
            greet(&key, &vendors, started.proxy, started.metrics);
        })
    })
}

fn entries(key: &str, vendors: &[(&Vendor, String)]) -> Vec<Entry> {
    let mut entries = vec![
        entry(
            Kind::ApiKey,
            "quickstart",
            json!({"key_hash": KeyHash::of(key).to_hex(), "allowed_models": ["*"], "display_name": "quickstart"}),
        ),
        entry(
            Kind::ProviderKey,
            "mock",
            json!({"display_name": "mock", "provider": "mock", "api_key": "none"}),
        ),
        entry(
            Kind::Model,
            "mock",
            json!({"display_name": "mock", "provider": "mock", "model_name": "mock", "provider_key_id": "mock"}),
        ),
    ];
    for (vendor, secret) in vendors {
        entries.push(entry(
            Kind::ProviderKey,
            vendor.name,
            json!({"display_name": vendor.name, "provider": vendor.name, "api_key": secret}),
        ));
        for model in vendor.models {
            entries.push(entry(
                Kind::Model,
                model,
                json!({"display_name": model, "provider": vendor.name, "model_name": model, "provider_key_id": vendor.name}),
            ));
        }
    }
    entries
}

fn entry(kind: Kind, id: &str, value: Value) -> Entry {
    Entry {
        key: Key {
            kind,
            id: id.into(),
        },
        value,
        revision: 1,
    }
}

#[expect(clippy::print_stdout, reason = "the person at the terminal reads it")]
fn greet(key: &str, vendors: &[(&Vendor, String)], proxy: SocketAddr, metrics: Option<SocketAddr>) {
    println!("\nAISIX is up at http://{proxy}/v1, from memory: nothing is kept.\n");
    println!("  key      {key}");
    println!("  models   mock (built in; answers from this process, nothing leaves the machine)");
    for (vendor, _) in vendors {
        println!(
            "           {} ({})",
            vendor.models.join(", "),
            vendor.variable
        );
    }
    for vendor in &VENDORS {
        if !vendors.iter().any(|(known, _)| known.name == vendor.name) {
            println!(
                "           set {} for {}",
                vendor.variable,
                vendor.models.join(", ")
            );
        }
    }
    if let Some(metrics) = metrics {
        println!("  metrics  http://{metrics}/metrics");
    }
    println!("  base     http://{proxy}/v1 for OpenAI's SDKs, http://{proxy} for Anthropic's");
    println!(
        "\nTry it:\n\n  curl http://{proxy}/v1/chat/completions \\\n    -H \"Authorization: Bearer {key}\" -H \"Content-Type: application/json\" \\\n    -d '{{\"model\": \"mock\", \"messages\": [{{\"role\": \"user\", \"content\": \"Hello!\"}}]}}'\n"
    );
}
