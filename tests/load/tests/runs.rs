//! A small run of each measurement that has a table of its own, with the gateway of this build.

use std::process::Command;

fn control(arguments: &[&str]) -> String {
    measured(&[&["control"], arguments].concat())
}

/// Runs it with everything on one core, which any machine has; gives the table.
fn measured(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_aisix-load"))
        .args(arguments)
        .args(["--load-core", "0"])
        .output()
        .expect("the program was built");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).expect("the table is text")
}

#[track_caller]
fn tells(table: &str, figures: &[&str]) {
    for figure in figures {
        let row = table.lines().find(|line| line.contains(figure));
        let row = row.unwrap_or_else(|| panic!("no {figure}:\n{table}"));
        let value = row.split('|').nth(2).unwrap_or_default();
        assert!(value.chars().any(|c| ('1'..='9').contains(&c)), "{row}");
    }
}

#[test]
fn propagation_is_measured_on_all_gateways() {
    let table = control(&["propagation", "--changes", "20", "--keys", "10"]);
    tells(&table, &["etcd acknowledges, p50", "on all gateways, p99"]);
}

#[test]
fn scale_is_measured_with_changes_and_without() {
    let table = control(&[
        "scale",
        "--keys",
        "200",
        "--models",
        "20",
        "--changes",
        "50",
        "--calls",
        "200",
        "--rounds",
        "1",
        "--boots",
        "2",
        "--rest",
        "0",
    ]);
    let figures = [
        "boot to ready",
        "RSS when ready",
        "CPU per change of an API key",
        "CPU per change of a model",
        "CPU per change of the provider key",
        "p99 of calls, no changes",
        "p99 of calls, 100 changes/s |",
        "take turns among 200",
        "take turns among 20 ",
    ];
    tells(&table, &figures);
}

#[test]
fn the_embedded_store_is_measured() {
    let table = control(&[
        "embedded",
        "--keys",
        "100",
        "--connections",
        "4",
        "--changes",
        "20",
        "--boots",
        "2",
        "--rest",
        "0",
    ]);
    let figures = [
        "all written",
        "one write, p99",
        "file",
        "first change",
        "CPU per such",
    ];
    tells(&table, &figures);
}

#[test]
fn chains_are_measured_beside_none() {
    let table = measured(&[
        "hooks",
        "--rounds",
        "1",
        "--scale",
        "0.01",
        "--only",
        "100 patterns",
    ]);
    let figures = [
        "1 KB chat: none",
        "1 KB chat: keyword_guard, 100 patterns |",
        "100 KB chat: keyword_guard, 100 patterns, more",
        "200-chunk stream, burst: keyword_guard, 100 patterns, input only |",
    ];
    tells(&table, &figures);
}

#[test]
fn groups_are_measured_in_shares_faults_and_cost() {
    let table = measured(&[
        "routing", "--calls", "500", "--rounds", "1", "--scale", "0.02",
    ]);
    let figures = [
        "random, share of b",
        "CPU per call of a model that stands for itself",
        "failover of three, more than that",
        "all well, p99",
        "one of three dies, round_robin, p50",
    ];
    tells(&table, &figures);
    for exact in [
        "round_robin, share of a, by weight 50 % | 50.00 %",
        "one of three dies, round_robin: failed of 100 calls | 0 |",
    ] {
        assert!(table.contains(exact), "{table}");
    }
}

#[test]
fn limits_are_measured_in_redis_and_in_memory() {
    let table = measured(&["limits", "--windows", "2", "--rounds", "1", "--calls", "50"]);
    let figures = [
        "rpm of 60, admitted in a window",
        "tpm of 6900, admitted in a window",
        "latency p99, limits in memory",
        "CPU per call, limits in Redis",
    ];
    tells(&table, &figures);
    assert!(
        table.contains("rpm of 60, worst overshoot | 0 |"),
        "{table}"
    );
}
