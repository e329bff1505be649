//! `hooks`: what chains of hooks cost, in CPU time of the gateway per call.
//!
//! One gateway runs for each row of [`chains`], all on the subject's core; each round keeps every one of them busy in turn. *more*
//! is the median of the differences from `none` in the same round. Streams have 200 chunks, so that what a hook does for each
//! event counts 200 times.

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

/// The chains, by what they are called: a hook that is added is a line more.
fn chains() -> Vec<(&'static str, Vec<Value>)> {
    let one = |name, settings| (name, vec![hook(name, settings)]);
    let guard = |name, settings| (name, vec![hook("keyword_guard", settings)]);
    let mut off = hook("rate_limiter", limits());
    off["enabled"] = json!(false);
    vec![
        ("none", Vec::new()),
        ("one that is off", vec![off]),
        one(
            "cors",
            json!({"allowed_origins": ["https://app.test"], "allowed_methods": ["POST"]}),
        ),
        one(
            "ip_allowlist",
            json!({"cidrs": ["127.0.0.0/8", "10.0.0.0/8"]}),
        ),
        guard("keyword_guard, 1 pattern", patterns(1)),
        guard("keyword_guard, 100 patterns", patterns(100)),
        guard(
            "keyword_guard, 100 patterns, input only",
            on_input(patterns(100)),
        ),
        one("rate_limiter", limits()),
        one(
            "request_size_limiter",
            json!({"max_chars_per_request": 1_000_000}),
        ),
        one("request_validation", json!({"schema": schema()})),
        ("ten hooks", ten()),
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
    let chains: Vec<_> = chains()
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

fn tell(table: &mut Table, chains: &[(&str, Vec<Value>)], found: &[Found]) {
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
