use std::{sync::Arc, thread, time::Duration};

use proptest::prelude::*;

use crate::balance::{Facts, Member, Order, Picker, Random, Strategies, View};

const ALL: [&str; 8] = [
    "consistent_hash",
    "failover",
    "least_busy",
    "least_cost",
    "least_latency",
    "power_of_two",
    "random",
    "round_robin",
];

fn members(weights: &[u32]) -> Vec<Member> {
    let member = |(index, weight): (usize, &u32)| Member {
        weight: *weight,
        ..Member::new(format!("target-{index}"))
    };
    weights.iter().enumerate().map(member).collect()
}

fn picker(strategy: &str, members: &[Member]) -> Box<dyn Picker> {
    Strategies::new().find(strategy).unwrap().picker(members)
}

fn order(picker: &dyn Picker, views: &[View], random: &mut Random) -> Vec<usize> {
    let mut order = Order::new();
    picker.order(&Facts::default(), views, random, &mut order);
    order.to_vec()
}

/// The order of a strategy that does not depend on chance.
fn sure(picker: &dyn Picker, views: &[View]) -> Vec<usize> {
    order(picker, views, &mut Random::seeded(0))
}

fn eligible<const N: usize>(eligible: [bool; N]) -> [View; N] {
    eligible.map(|eligible| View {
        eligible,
        ..View::default()
    })
}

fn busy<const N: usize>(in_flight: [u32; N]) -> [View; N] {
    in_flight.map(|in_flight| View {
        in_flight,
        ..View::default()
    })
}

/// How often each target comes first.
fn firsts(picker: &dyn Picker, views: &[View], plans: usize, random: &mut Random) -> Vec<usize> {
    let mut firsts = vec![0; views.len()];
    for _ in 0..plans {
        firsts[order(picker, views, random)[0]] += 1;
    }
    firsts
}

/// Asserts that each has its share of the traffic, give or take a part of the whole.
fn assert_shares(what: &str, counts: &[usize], weights: &[u32], within: f64) {
    let plans: usize = counts.iter().sum();
    let total: u32 = weights.iter().sum();
    for (count, weight) in counts.iter().zip(weights) {
        let (is, should) = (
            *count as f64 / plans as f64,
            f64::from(*weight) / f64::from(total),
        );
        assert!(
            (is - should).abs() <= within,
            "{what}: {counts:?} for {weights:?}"
        );
    }
}

#[test]
fn failover_keeps_the_order_of_declaration() {
    let picker = picker("failover", &members(&[1, 9, 1]));
    assert_eq!(sure(&*picker, &busy([9, 0, 0])), [0, 1, 2]);
    assert_eq!(sure(&*picker, &eligible([false, true, true])), [1, 2]);
}

#[test]
fn round_robin_mixes_weights_evenly() {
    let picker = picker("round_robin", &members(&[5, 1, 1]));
    let views = [View::default(); 3];
    let turns: Vec<_> = (0..14).map(|_| sure(&*picker, &views)).collect();
    let first: Vec<_> = turns.iter().map(|order| order[0]).collect();
    assert_eq!(first, [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
    assert_eq!(turns[2], [1, 2, 0], "then those declared after it");
    assert_eq!(turns[4], [2, 0, 1]);
}

#[test]
fn a_weight_of_nothing_is_one() {
    let zeros = picker("round_robin", &members(&[0, 0, 2]));
    let ones = picker("round_robin", &members(&[1, 1, 2]));
    let views = [View::default(); 3];
    let mut counts = [0; 3];
    for _ in 0..8 {
        let turn = sure(&*zeros, &views);
        assert_eq!(turn, sure(&*ones, &views));
        counts[turn[0]] += 1;
    }
    assert_eq!(counts, [2, 2, 4]);
}

#[test]
fn a_target_that_sits_out_neither_gains_nor_loses_turns() {
    let picker = picker("round_robin", &members(&[1, 1, 1]));
    let first = |views: &[View; 3]| sure(&*picker, views)[0];
    let all = eligible([true; 3]);
    let without = eligible([true, false, true]);
    assert_eq!(first(&all), 0);
    // Those who stay go on, the one that has just served last.
    assert_eq!([(); 6].map(|()| first(&without)), [2, 2, 0, 2, 0, 2]);
    // One turn of its own, no six to catch up.
    assert_eq!([(); 5].map(|()| first(&all)), [1, 0, 2, 1, 0]);
}

#[test]
fn a_target_that_comes_back_slowly_gets_a_part_of_its_weight() {
    let mut views = [View::default(); 2];
    views[1].slow_start = 0.25;
    for (strategy, within) in [
        ("round_robin", 0.0),
        ("random", 0.02),
        ("power_of_two", 0.02),
    ] {
        let picker = picker(strategy, &members(&[1, 1]));
        let counts = firsts(&*picker, &views, 10_000, &mut Random::seeded(1));
        assert_shares(strategy, &counts, &[4, 1], within);
    }
}

#[test]
fn nobody_and_one_are_orders_too() {
    for strategy in ALL {
        let three = picker(strategy, &members(&[1, 2, 0]));
        assert!(
            sure(&*three, &eligible([false; 3])).is_empty(),
            "{strategy}"
        );
        assert_eq!(
            sure(&*three, &eligible([false, true, false])),
            [1],
            "{strategy}"
        );
        let one = picker(strategy, &members(&[7]));
        for _ in 0..3 {
            assert_eq!(sure(&*one, &[View::default()]), [0], "{strategy}");
        }
        assert!(sure(&*picker(strategy, &[]), &[]).is_empty(), "{strategy}");
    }
}

#[test]
fn idle_targets_get_traffic_by_weight() {
    let weights = [5, 1, 1, 3];
    let views = [View::default(); 4];
    // Four deviations of 10 000 tosses are 2 %.
    for (strategy, within) in [
        ("round_robin", 0.0),
        ("random", 0.02),
        ("power_of_two", 0.02),
    ] {
        let picker = picker(strategy, &members(&weights));
        let counts = firsts(&*picker, &views, 10_000, &mut Random::seeded(7));
        assert_shares(strategy, &counts, &weights, within);
    }
}

/// Calls last equally long everywhere; so what is in flight settles in proportion to weights, and traffic with it.
#[test]
fn busy_targets_get_traffic_by_weight() {
    let weights = [5, 1, 1, 3];
    for (strategy, within) in [("least_busy", 0.01), ("power_of_two", 0.03)] {
        let picker = picker(strategy, &members(&weights));
        let mut random = Random::seeded(3);
        let mut views = [View::default(); 4];
        let mut calls = std::collections::VecDeque::new();
        let mut counts = [0; 4];
        for _ in 0..10_000 {
            let first = order(&*picker, &views, &mut random)[0];
            counts[first] += 1;
            views[first].in_flight += 1;
            calls.push_back(first);
            if calls.len() > 100 {
                views[calls.pop_front().unwrap()].in_flight -= 1;
            }
        }
        assert_shares(strategy, &counts, &weights, within);
    }
}

#[test]
fn all_that_is_drawn_later_is_drawn_by_weight_too() {
    let picker = picker("random", &members(&[2, 1, 1]));
    let mut random = Random::seeded(5);
    let mut seconds = [0; 3];
    for _ in 0..10_000 {
        seconds[order(&*picker, &[View::default(); 3], &mut random)[1]] += 1;
    }
    // The heavy one is second after one of the light ones: 1/2 · 2/3 = 1/3.
    assert_shares("second", &seconds, &[1, 1, 1], 0.02);
}

#[test]
fn power_of_two_prefers_who_is_less_busy_for_its_weight() {
    let two = picker("power_of_two", &members(&[1, 1]));
    let heavy = picker("power_of_two", &members(&[1, 10]));
    let many = picker("power_of_two", &members(&[1; 5]));
    for seed in 0..200 {
        let mut random = Random::seeded(seed);
        assert_eq!(order(&*two, &busy([3, 2]), &mut random), [1, 0]);
        assert_eq!(order(&*heavy, &busy([1, 9]), &mut random), [1, 0]);
        assert_eq!(order(&*heavy, &busy([1, 11]), &mut random), [0, 1]);
        let all = order(&*many, &busy([4, 3, 9, 0, 1]), &mut random);
        assert_ne!(all[0], 2, "the busiest never wins against another");
        let rest: Vec<_> = all[1..].to_vec();
        let ranked = [3, 4, 1, 0, 2].into_iter().filter(|i| *i != all[0]);
        assert!(rest.iter().copied().eq(ranked), "{all:?}");
    }
    let counts = firsts(
        &*many,
        &busy([4, 3, 9, 0, 1]),
        10_000,
        &mut Random::seeded(1),
    );
    // Of ten pairs, the idlest wins four, the next three, and so on.
    assert_shares("pairs", &counts, &[1, 2, 0, 4, 3], 0.02);
}

#[test]
fn least_busy_counts_the_call_to_come_and_weighs_it() {
    let picker = picker("least_busy", &members(&[1, 2, 2, 0]));
    assert_eq!(sure(&*picker, &busy([0; 4])), [1, 2, 0, 3]);
    assert_eq!(sure(&*picker, &busy([0, 1, 2, 0])), [0, 1, 3, 2]);
    assert_eq!(sure(&*picker, &busy([u32::MAX, 5, 4, 1])), [3, 2, 1, 0]);
}

#[test]
fn least_latency_tries_the_unknown_and_then_the_quickest() {
    let picker = picker("least_latency", &members(&[1, 9, 1, 1]));
    let view = |latency: Option<u64>, first_token: Option<u64>| View {
        latency: latency.map(Duration::from_millis),
        first_token: first_token.map(Duration::from_millis),
        ..View::default()
    };
    let views = [
        view(Some(900), Some(30)),
        view(Some(300), None),
        view(None, Some(20)),
        view(Some(300), Some(20)),
    ];
    let by = |streams| {
        let facts = Facts { key: "", streams };
        let mut order = Order::new();
        picker.order(&facts, &views, &mut Random::seeded(0), &mut order);
        order.to_vec()
    };
    assert_eq!(by(false), [2, 1, 3, 0]);
    assert_eq!(by(true), [1, 2, 3, 0]);
}

#[test]
fn least_cost_takes_the_cheapest_and_the_unknown_last() {
    let costs = [None, Some(0.5), Some(0.0), None, Some(0.5), Some(0.1)];
    let members: Vec<_> = members(&[1; 6])
        .into_iter()
        .zip(costs)
        .map(|(member, cost)| Member { cost, ..member })
        .collect();
    let picker = picker("least_cost", &members);
    assert_eq!(sure(&*picker, &[View::default(); 6]), [2, 5, 1, 4, 0, 3]);
}

#[test]
fn workers_share_the_turns_of_a_round_robin() {
    const EACH: usize = 7_000;
    let picker: Arc<dyn Picker> = picker("round_robin", &members(&[5, 1, 1])).into();
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let picker = picker.clone();
            let views = [View::default(); 3];
            thread::spawn(move || firsts(&*picker, &views, EACH, &mut Random::new()))
        })
        .collect();
    let mut totals = [0; 3];
    for worker in workers {
        for (total, count) in totals.iter_mut().zip(worker.join().unwrap()) {
            *total += count;
        }
    }
    assert_eq!(totals, [20_000, 4_000, 4_000]);
}

fn any_view() -> impl Strategy<Value = View> {
    let duration = || proptest::option::of((0_u64..5_000).prop_map(Duration::from_millis));
    let slow_start = prop_oneof![Just(1.0_f32), 0.0_f32..1.0, Just(f32::NAN)];
    (
        any::<bool>(),
        any::<u32>(),
        duration(),
        duration(),
        slow_start,
    )
        .prop_map(
            |(eligible, in_flight, latency, first_token, slow_start)| View {
                eligible,
                in_flight,
                latency,
                first_token,
                slow_start,
            },
        )
}

fn any_target() -> impl Strategy<Value = (Member, Vec<View>)> {
    let weight = prop_oneof![0_u32..5, any::<u32>()];
    let cost = proptest::option::of(prop_oneof![0.0..3.0, Just(f64::NAN)]);
    let views = proptest::collection::vec(any_view(), 4);
    ("[a-e]{1,3}", weight, cost, views).prop_map(|(name, weight, cost, views)| {
        let name = name.into();
        (Member { name, weight, cost }, views)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the members, their state and the request: whoever is eligible is there once, and nobody else.
    #[test]
    fn every_eligible_target_is_there_once(
        targets in proptest::collection::vec(any_target(), 0..20),
        key in ".{0,8}",
        streams: bool,
        seed: u64,
    ) {
        let members: Vec<_> = targets.iter().map(|(member, _)| member.clone()).collect();
        let mut random = Random::seeded(seed);
        for strategy in ALL {
            let picker = picker(strategy, &members);
            for moment in 0..4 {
                let views: Vec<_> = targets.iter().map(|(_, views)| views[moment]).collect();
                let mut order = Order::new();
                picker.order(&Facts { key: &key, streams }, &views, &mut random, &mut order);
                let mut there = order.to_vec();
                there.sort_unstable();
                let should: Vec<_> = (0..views.len()).filter(|i| views[*i].eligible).collect();
                prop_assert_eq!(there, should, "{}", strategy);
            }
        }
    }

    /// Over as many turns as the weights come to, each target has exactly its weight.
    #[test]
    fn round_robin_is_exact(weights in proptest::collection::vec(1_u32..9, 1..8)) {
        let picker = picker("round_robin", &members(&weights));
        let views = vec![View::default(); weights.len()];
        let plans = weights.iter().sum::<u32>() as usize;
        for _ in 0..3 {
            let counts = firsts(&*picker, &views, plans, &mut Random::seeded(0));
            let counts: Vec<_> = counts.into_iter().map(|count| count as u32).collect();
            prop_assert_eq!(&counts, &weights);
        }
    }
}
