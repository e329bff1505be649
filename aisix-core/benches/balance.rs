//! What it costs to decide which targets are tried, by strategy and number of targets.

use std::{hint::black_box, time::Duration};

use aisix_core::{
    balance::{Candidate, Facts, Fitness, Group, Member, Random, Standing, Strategies, View},
    config::States,
};
use divan::Bencher;

fn main() {
    divan::main();
}

const STRATEGIES: [&str; 8] = [
    "failover",
    "round_robin",
    "random",
    "power_of_two",
    "least_busy",
    "least_latency",
    "least_cost",
    "consistent_hash",
];

const SIZES: [usize; 2] = [3, 50];

fn candidates(size: usize) -> Vec<Candidate> {
    let candidate = |number: usize| Candidate {
        member: Member {
            weight: number as u32 % 5 + 1,
            cost: Some((number * 7 % 11) as f64),
            ..Member::new(format!("target-{number}"))
        },
        tier: 0,
        tags: Vec::new(),
    };
    (0..size).map(candidate).collect()
}

fn group(strategy: &str, size: usize) -> Group {
    let strategies = Strategies::new();
    let strategy = strategies.find(strategy).expect("it is built in");
    let states = States::default();
    Group::new(strategy.as_ref(), candidates(size), &states, "bench")
}

fn standings(size: usize) -> Vec<Standing> {
    let standing = |number: usize| Standing {
        view: View {
            in_flight: (number * 13 % 17) as u32,
            latency: Some(Duration::from_millis(number as u64 * 31 % 97)),
            ..View::default()
        },
        ..Standing::default()
    };
    (0..size).map(standing).collect()
}

fn plan(bencher: Bencher<'_, '_>, strategy: &str, standings: &[Standing]) {
    let group = group(strategy, standings.len());
    let keys: Vec<String> = (0..1_024).map(|number| format!("user-{number}")).collect();
    let mut keys = keys.iter().cycle();
    let mut random = Random::seeded(0);
    bencher.bench_local(|| {
        let key = keys.next().expect("it never ends");
        let facts = Facts {
            key,
            streams: false,
        };
        group.plan(black_box(&facts), black_box(standings), &mut random)
    });
}

/// Everybody is fit.
#[divan::bench(args = STRATEGIES, consts = SIZES)]
fn all_fit<const SIZE: usize>(bencher: Bencher<'_, '_>, strategy: &str) {
    plan(bencher, strategy, &standings(SIZE));
}

/// All are cooling but every third: those are looked for first.
#[divan::bench(args = STRATEGIES, consts = SIZES)]
fn a_third_fit<const SIZE: usize>(bencher: Bencher<'_, '_>, strategy: &str) {
    let mut standings = standings(SIZE);
    for (number, standing) in standings.iter_mut().enumerate() {
        if number % 3 != 0 {
            standing.fitness = Fitness::Cooling;
        }
    }
    plan(bencher, strategy, &standings);
}

/// Compiling a group whose members are new.
#[divan::bench(args = STRATEGIES, consts = SIZES)]
fn compile<const SIZE: usize>(bencher: Bencher<'_, '_>, strategy: &str) {
    bencher.bench_local(|| group(strategy, SIZE));
}
