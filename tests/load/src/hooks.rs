//! `hooks`: what chains of hooks cost, in CPU time of the gateway per call.
//!
//! One gateway runs for each row of [`chains`], all on the subject's core; each round keeps every one of them busy in turn. *more*
//! is the median of the differences from `none` in the same round. Streams have 200 chunks, so that what a hook does for each
//! event counts 200 times. Equal calls follow each other, so that all calls but the first are found in a cache. Guards that ask a
//! service ask the mock upstream, and the figure has the round trips in it.

use crate::bench::progress;
use crate::rig::{self, Rig};
use crate::scenario::Scenario;
use crate::subject::{Change, Subject};
use crate::table::Table;
use crate::window::{self, Size};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::process::ExitCode;

/// What is measured, and how much of it.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    rig: rig::Options,
    /// How often every window is measured; the figures are the medians
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// What the number of calls in a window is multiplied by
    #[arg(long, default_value_t = 0.5)]
    scale: f64,
    /// The chains whose name contains this [default: all]; `none` is always there
    #[arg(long)]
    only: Option<String>,
}

/// A chain, by what it is called.
type Chain = (&'static str, Vec<Value>);

/// The registered hooks that are not measured, and why.
#[cfg(test)]
const LEFT_OUT: [(&str, &str); 2] = [
    (
        "bedrock_guardrail",
        "its service stands at an address of AWS",
    ),
    ("ip_whitelist", "is ip_allowlist"),
];

/// The chains: a hook that is added is a line more. Guards that ask a service ask it at `services`.
fn chains(services: &str) -> Vec<Chain> {
    let mut off = hook("rate_limiter", limits());
    off["enabled"] = json!(false);
    let mut chains = vec![("none", Vec::new()), ("one that is off", vec![off])];
    let lines = [on_heads(), on_texts(), on_calls(), asking(services)].concat();
    chains.extend(lines.into_iter().map(|(title, hook)| (title, vec![hook])));
    chains.push(("ten hooks", ten()));
    chains
}

/// A hook, by what its chain is called.
type Line = (&'static str, Value);

/// Hooks that do not read what is said.
fn on_heads() -> Vec<Line> {
    let one = |name, settings| (name, hook(name, settings));
    let header = json!({"request": {"headers": {"set": {"x-tag": "one"}}}});
    vec![
        one(
            "cors",
            json!({"allowed_origins": ["https://app.test"], "allowed_methods": ["POST"]}),
        ),
        one(
            "ip_allowlist",
            json!({"cidrs": ["127.0.0.0/8", "10.0.0.0/8"]}),
        ),
        one("rate_limiter", limits()),
        ("transform, a header", hook("transform", header)),
    ]
}

/// Hooks that search what is said.
fn on_texts() -> Vec<Line> {
    let guard = |settings| hook("keyword_guard", settings);
    let everything = json!({"apply_all": true});
    let masking = |stage: &str| {
        let mut hook = hook("data_masking", everything.clone());
        hook["stage"] = json!(stage);
        hook
    };
    let keywords = (0..100).map(|number| format!("codename{number}"));
    let moderation = json!({"keywords": keywords.collect::<Vec<_>>()});
    let detectors = ["email", "bank_card", "us_ssn", "ip_address", "api_key"];
    let detectors = detectors.map(|kind| json!({"type": kind}));
    vec![
        (
            "data_masking, all entities, requests",
            masking("pre_request"),
        ),
        (
            "data_masking, all entities, answers",
            masking("pre_response"),
        ),
        (
            "injection_protection",
            hook("injection_protection", json!({"content_to_check": ["all"]})),
        ),
        ("keyword_guard, 1 pattern", guard(patterns(1))),
        ("keyword_guard, 100 patterns", guard(patterns(100))),
        (
            "keyword_guard, 100 patterns, input only",
            guard(on_input(patterns(100))),
        ),
        (
            "pii_guard, 5 detectors",
            hook("pii_guard", json!({"detectors": detectors})),
        ),
        (
            "prompt_moderation, 100 keywords",
            hook("prompt_moderation", moderation),
        ),
    ]
}

/// Hooks that read or write calls otherwise.
fn on_calls() -> Vec<Line> {
    vec![
        // All calls of a kind are equal.
        ("cache, hits", hook("cache", json!({"streaming": true}))),
        (
            "prompt_caching, nothing to do",
            hook("prompt_caching", json!({})),
        ),
        (
            "prompt_template",
            hook("prompt_template", json!({"system": {"before": "Be kind."}})),
        ),
        (
            "request_size_limiter",
            hook(
                "request_size_limiter",
                json!({"max_chars_per_request": 1_000_000}),
            ),
        ),
        (
            "request_validation",
            hook("request_validation", json!({"schema": schema()})),
        ),
    ]
}

/// Hooks that ask a service about a request, which answers at once: what is measured has its round trips in it.
fn asking(services: &str) -> Vec<Line> {
    let remote = |name| {
        let settings = json!({"api_key": "secret", "endpoint": services, "fail_open": false});
        hook(name, on_input(settings))
    };
    let policy = json!({"endpoint": format!("{services}/policy")});
    let presidio =
        json!({"analyzer_url": services, "anonymizer_url": services, "fail_open": false});
    vec![
        ("azure_content_safety, asks", remote("azure_content_safety")),
        (
            "azure_content_safety_text_moderation, asks",
            remote("azure_content_safety_text_moderation"),
        ),
        ("external_api, asks", hook("external_api", policy)),
        ("lakera, asks", remote("lakera")),
        ("openai_moderation, asks", remote("openai_moderation")),
        ("presidio, asks", hook("presidio", on_input(presidio))),
    ]
}

fn hook(name: &str, settings: Value) -> Value {
    json!({"name": name, "settings": settings})
}

fn limits() -> Value {
    let rate = json!({"limit": 1_000_000_000, "window": "1h"});
    json!({"limits": {"per_ip": rate, "per_key": rate, "global": rate}})
}

/// Words and expressions that do not occur.
fn patterns(count: usize) -> Value {
    let pattern = |number: usize| match number % 10 {
        9 => json!({"kind": "regex", "value": format!("\\bticket-{number}-\\d{{4}}\\b")}),
        _ => json!({"kind": "literal", "value": format!("project codename {number}")}),
    };
    json!({"patterns": (0..count).map(pattern).collect::<Vec<_>>()})
}

fn on_input(mut settings: Value) -> Value {
    settings["hook_point"] = json!("input");
    settings
}

fn schema() -> Value {
    let message = json!({"type": "object", "required": ["role", "content"]});
    json!({"type": "object", "required": ["model", "messages"], "properties": {
        "messages": {"type": "array", "items": message, "maxItems": 1_000}, "temperature": {"type": "number", "maximum": 2}}})
}

/// Each of five hooks twice.
fn ten() -> Vec<Value> {
    let once = |id: usize| {
        let hooks = [
            hook("ip_allowlist", json!({"cidrs": ["127.0.0.0/8"]})),
            hook("keyword_guard", patterns(20)),
            hook("rate_limiter", limits()),
            hook(
                "request_size_limiter",
                json!({"max_chars_per_request": 1_000_000}),
            ),
            hook("request_validation", json!({"schema": schema()})),
        ];
        hooks.map(|mut hook| {
            hook["id"] = json!(format!("{id} {}", hook["name"]));
            hook
        })
    };
    [1, 2].map(once).concat()
}

/// The kinds of call.
const SCENARIOS: [Scenario; 3] = [Scenario::Small, Scenario::Large, Scenario::Burst];

/// Measures, and prints the table.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let size = Size {
        concurrency: 8,
        scale: options.scale,
    };
    let rig = Rig::start(options.rig).await?;
    let is_wanted = |name: &str| {
        let only = options.only.as_ref();
        name == "none" || only.is_none_or(|part| name.contains(part.as_str()))
    };
    let chains = chains(&format!("http://{}", rig.upstream()));
    let chains: Vec<_> = chains
        .into_iter()
        .filter(|(name, _)| is_wanted(name))
        .collect();
    let mut subjects = Vec::new();
    for (number, (name, chain)) in chains.iter().enumerate() {
        let subject = start(&rig, number, chain).await;
        subjects.push(subject.with_context(|| format!("{name} cannot be measured"))?);
    }
    let mut found = vec![[const { Vec::new() }; SCENARIOS.len()]; chains.len()];
    for round in 1..=options.rounds {
        for (of_scenario, scenario) in SCENARIOS.into_iter().enumerate() {
            for (of_chain, subject) in subjects.iter().enumerate() {
                let (cpu, _) = window::busy(subject, scenario, size).await?;
                let cpu = cpu.context("a gateway has a process")?;
                found[of_chain][of_scenario].push(cpu);
                let (name, title) = (chains[of_chain].0, scenario.title());
                progress(format_args!("round {round}, {title}, {name}: {cpu:.1} µs"));
            }
        }
    }
    let mut table = Table::new(&format!(
        "{} rounds, scale {}",
        options.rounds, options.scale
    ));
    tell(&mut table, &chains, &found);
    table.print()?;
    Ok(ExitCode::SUCCESS)
}

/// What was found, by chain and kind of call.
type Found = [Vec<f64>; SCENARIOS.len()];

fn tell(table: &mut Table, chains: &[Chain], found: &[Found]) {
    for (of_scenario, scenario) in SCENARIOS.into_iter().enumerate() {
        for (of_chain, (name, _)) in chains.iter().enumerate() {
            let figure = |what: &str| format!("{}: {name}{what}", scenario.title());
            let cpu = &found[of_chain][of_scenario];
            table.median(&figure(""), "µs", cpu);
            let none = &found[0][of_scenario];
            let more: Vec<_> = cpu.iter().zip(none).map(|(cpu, none)| cpu - none).collect();
            if of_chain > 0 {
                table.median(&figure(", more"), "µs", &more);
            }
        }
    }
}

/// A gateway with this chain for every call.
async fn start(rig: &Rig, number: usize, chain: &[Value]) -> Result<Subject> {
    let resources = match chain {
        [] => String::new(),
        chain => format!("gateways: [{{name: default, plugins: {}}}]\n", json!(chain)),
    };
    let change = Change {
        name: format!("-{number}"),
        resources,
        ..Change::default()
    };
    rig.changed(&change).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_registered_hook_is_measured_or_left_out_for_a_reason() {
        let hooks = aisix_hooks::hooks();
        let registered: BTreeSet<_> = hooks.describe().map(|hook| hook.name.to_owned()).collect();
        let chains = chains("http://127.0.0.1:1");
        let measured = chains.iter().flat_map(|(_, chain)| chain);
        let measured = measured.map(|hook| hook["name"].as_str().unwrap().to_owned());
        let left_out = LEFT_OUT.map(|(name, _)| name.to_owned());
        assert_eq!(
            measured.chain(left_out).collect::<BTreeSet<_>>(),
            registered
        );
    }
}
