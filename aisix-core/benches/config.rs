//! What the configuration costs by its size: one change, the first load, and finding callers and models.

use std::hint::black_box;

use aisix_core::config::{Change, Config, Entry, KeyHash, Kind, Snapshot};
use divan::Bencher;
use serde_json::json;

fn main() {
    divan::main();
}

const SIZES: [usize; 3] = [100, 10_000, 100_000];

fn credential(number: usize) -> KeyHash {
    KeyHash::of(format!("sk-{number}"))
}

fn api_key(number: usize, rpm: u64) -> Entry {
    let document = json!({
        "display_name": format!("caller {number}"),
        "key_hash": credential(number).to_hex(),
        "allowed_models": ["model-*", "chat"],
        "rate_limit": {"rpm": rpm, "concurrency": 100},
        "team_id": "team",
        "user_id": format!("user-{number}"),
    });
    Entry::new(Kind::ApiKey, format!("caller-{number}"), document)
}

fn model(number: usize, timeout: u64) -> Entry {
    let document = json!({
        "display_name": format!("model-{number}"),
        "provider": "mock",
        "model_name": "chat",
        "provider_key_id": "mock",
        "timeout": timeout,
    });
    Entry::new(Kind::Model, format!("model-{number}"), document)
}

/// API keys, and a tenth as many models.
fn entries(size: usize) -> Vec<Entry> {
    let keys = (0..size).map(|number| api_key(number, 1_000));
    keys.chain((0..size / 10).map(|number| model(number, 1_000)))
        .collect()
}

fn config(size: usize) -> Config {
    let config = Config::builder().build();
    config.apply([Change::Reset(entries(size))]);
    config
}

/// A change of one API key, from the document to the next snapshot.
#[divan::bench(args = SIZES)]
fn put_api_key(bencher: Bencher<'_, '_>, size: usize) {
    let config = config(size);
    let mut number = 0;
    bencher
        .with_inputs(|| {
            number += 1;
            [Change::Put(api_key(
                number * 7_919 % size,
                1_000 + number as u64,
            ))]
        })
        .bench_local_values(|change| config.apply(change));
}

/// A change of one model.
#[divan::bench(args = SIZES)]
fn put_model(bencher: Bencher<'_, '_>, size: usize) {
    let config = config(size);
    let mut number = 0;
    bencher
        .with_inputs(|| {
            number += 1;
            [Change::Put(model(
                number * 7_919 % (size / 10),
                1_000 + number as u64,
            ))]
        })
        .bench_local_values(|change| config.apply(change));
}

/// The first load, without reading the JSON.
#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn first_load(bencher: Bencher<'_, '_>, size: usize) {
    bencher
        .with_inputs(|| [Change::Reset(entries(size))])
        .bench_local_values(|change| {
            let config = Config::builder().build();
            config.apply(change);
            config
        });
}

/// A reload that changes nothing.
#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn same_again(bencher: Bencher<'_, '_>, size: usize) {
    let config = config(size);
    bencher
        .with_inputs(|| [Change::Reset(entries(size))])
        .bench_local_values(|change| config.apply(change));
}

/// What whoever holds the last snapshot pays when everything has gone.
#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn drop_of_all(bencher: Bencher<'_, '_>, size: usize) {
    bencher
        .with_inputs(|| {
            let config = config(size);
            let last = config.current();
            config.apply([Change::Reset(Vec::new())]);
            last
        })
        .bench_local_values(drop);
}

/// Finding callers, another one each time.
#[divan::bench(args = SIZES)]
fn find_caller(bencher: Bencher<'_, '_>, size: usize) {
    let snapshot = config(size).current();
    let hashes: Vec<KeyHash> = (0..1_024).map(|n| credential(n * 7_919 % size)).collect();
    let mut next = hashes.iter().cycle();
    bencher.bench_local(|| {
        let hash = next.next().expect("it never ends");
        black_box(snapshot.caller(hash).is_some())
    });
}

/// Finding models, another one each time.
#[divan::bench(args = SIZES)]
fn find_model(bencher: Bencher<'_, '_>, size: usize) {
    let snapshot: std::sync::Arc<Snapshot> = config(size).current();
    let models = size / 10;
    let names: Vec<String> = (0..1_024)
        .map(|n| format!("model-{}", n * 7_919 % models))
        .collect();
    let mut next = names.iter().cycle();
    bencher.bench_local(|| {
        let name = next.next().expect("it never ends");
        black_box(snapshot.model(name).is_some())
    });
}
