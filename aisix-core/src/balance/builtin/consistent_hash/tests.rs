use proptest::prelude::*;

use super::{
    hash::hash,
    ring::{Ring, units},
};
use crate::balance::{Facts, Member, Order, Picker, Random, View};

fn members(weights: &[(&str, u32)]) -> Vec<Member> {
    let member = |(name, weight): &(&str, u32)| Member {
        weight: *weight,
        ..Member::new(*name)
    };
    weights.iter().map(member).collect()
}

fn order(ring: &Ring, key: &str, views: &[View]) -> Vec<usize> {
    let facts = Facts {
        key,
        streams: false,
    };
    let mut order = Order::new();
    ring.order(&facts, views, &mut Random::seeded(0), &mut order);
    order.to_vec()
}

fn without(absent: usize, len: usize) -> Vec<View> {
    let mut views = vec![View::default(); len];
    views[absent].eligible = false;
    views
}

/// Computed from the definition by another program, with the published values of FNV-1a and SplitMix64 as its check.
#[test]
fn points_and_keys_stand_where_they_always_stood() {
    let point = |name: &str, n: u32| hash(&[name.as_bytes(), &[0], &n.to_le_bytes()]);
    assert_eq!(point("gpt-a", 0), 0x9859_3c0d_d5f7_5d58);
    assert_eq!(point("gpt-a", 1), 0x0e98_9ca3_d07a_2b96);
    assert_eq!(point("gpt-a", 159), 0x1b92_84af_bffd_2d3b);
    assert_eq!(point("gpt-b", 0), 0x78a1_955b_a89c_6d23);
    assert_eq!(point("", 0), 0xffe8_7603_7f2d_8f9e);
    assert_eq!(point("modèle", 7), 0xc075_d7a8_2dd7_eebe);
    let key = |key: &str| hash(&[key.as_bytes()]);
    assert_eq!(key(""), 0xf52a_15e9_a9b5_e89b);
    assert_eq!(key("user-1"), 0xc499_b5f8_a721_df58);
    assert_eq!(key("user-2"), 0x4fb3_8f41_4590_a87b);
    assert_eq!(key("sk-Ärger"), 0x159f_8697_c054_95fd);
}

/// Computed by that program, too.
#[test]
fn keys_belong_to_whom_they_always_belonged() {
    let three = Ring::new(&members(&[("gpt-a", 1), ("gpt-b", 1), ("gpt-c", 1)]));
    let of = |ring, len, key: &str| order(ring, key, &vec![View::default(); len]);
    assert_eq!(of(&three, 3, ""), [1, 2, 0]);
    let users = (1..=7).map(|n| of(&three, 3, &format!("user-{n}")));
    let expected = [
        [2, 1, 0],
        [1, 0, 2],
        [1, 0, 2],
        [0, 1, 2],
        [2, 0, 1],
        [0, 1, 2],
        [2, 0, 1],
    ];
    assert_eq!(users.collect::<Vec<_>>(), expected);
    assert_eq!(of(&three, 3, "k96"), [1, 2, 0], "beyond the last point");
    for (index, name) in ["gpt-a", "gpt-b", "gpt-c"].into_iter().enumerate() {
        let key = format!("{name}\0\u{7}\0\0\0");
        assert_eq!(of(&three, 3, &key)[0], index, "exactly on a point");
    }
    let counts = |ring, len| {
        let mut counts = vec![0; len];
        for n in 0..10_000 {
            counts[of(ring, len, &format!("key-{n}"))[0]] += 1;
        }
        counts
    };
    assert_eq!(counts(&three, 3), [3_624, 3_235, 3_141]);
    let heavy = Ring::new(&members(&[("a", 5), ("b", 1), ("c", 1)]));
    assert_eq!(counts(&heavy, 3), [7_204, 1_386, 1_410]);
    let two = Ring::new(&members(&[("gpt-a", 4), ("gpt-b", 2)]));
    let users = (1..=3).map(|n| of(&two, 2, &format!("user-{n}")));
    assert_eq!(users.collect::<Vec<_>>(), [[0, 1], [1, 0], [0, 1]]);
}

#[test]
fn units_are_few() {
    let of = |weights: &[u32]| {
        let named: Vec<_> = weights.iter().map(|weight| ("x", *weight)).collect();
        units(&members(&named))
    };
    assert_eq!(of(&[4, 2]), [2, 1]);
    assert_eq!(of(&[0, 0, 3]), [1, 1, 3]);
    assert_eq!(of(&[100, 200, 300]), [1, 2, 3]);
    assert_eq!(of(&[7]), [1]);
    assert_eq!(of(&[60, 4, 1]), [59, 3, 1], "65 do not fit");
    assert_eq!(of(&[97, 31, 1]), [48, 15, 1]);
    assert_eq!(of(&[1_000, 1]), [63, 1]);
    assert_eq!(of(&[u32::MAX, u32::MAX - 1]), [32, 31]);
    assert_eq!(of(&[1; 100]), [1; 100], "one each is the least");
    assert!(of(&[]).is_empty());
}

/// With 160 points a target's part of the ring deviates by about 8 % of it; 25 % is three times that.
#[test]
fn ten_thousand_keys_are_spread_by_weight() {
    for weights in [vec![1; 3], vec![1; 10], vec![5, 1, 1], vec![3, 2]] {
        let names: Vec<_> = (0..weights.len()).map(|n| format!("replica-{n}")).collect();
        let names = names.iter().map(String::as_str);
        let named: Vec<_> = names.zip(weights.clone()).collect();
        let ring = Ring::new(&members(&named));
        let views = vec![View::default(); weights.len()];
        let mut counts = vec![0_u32; weights.len()];
        for n in 0..10_000 {
            counts[order(&ring, &format!("key-{n}"), &views)[0]] += 1;
        }
        let total: u32 = weights.iter().sum();
        for (count, weight) in counts.iter().zip(&weights) {
            let should = 10_000.0 * f64::from(*weight) / f64::from(total);
            let off = (f64::from(*count) / should - 1.0).abs();
            assert!(off < 0.25, "{counts:?} for {weights:?}");
        }
    }
}

#[test]
fn only_the_keys_of_a_leaving_target_move() {
    let names = ["a", "b", "c", "d", "e"];
    let all = Ring::new(&members(&names.map(|name| (name, 1))));
    let everybody = [View::default(); 5];
    for gone in 0..names.len() {
        let mut left = names.to_vec();
        left.remove(gone);
        let rest: Vec<_> = left.iter().map(|name| (*name, 1)).collect();
        let rest = Ring::new(&members(&rest));
        let mut moved = 0;
        for n in 0..2_000 {
            let key = format!("key-{n}");
            let before = order(&all, &key, &everybody);
            let mut after = before.clone();
            after.retain(|index| *index != gone);
            // Not eligible: the others stay in their order.
            assert_eq!(order(&all, &key, &without(gone, 5)), after);
            // Not configured any more: the same.
            let configured = order(&rest, &key, &everybody[..4]);
            let by_name = |index: &usize| names[*index];
            assert!(
                configured
                    .iter()
                    .map(|index| left[*index])
                    .eq(after.iter().map(by_name))
            );
            moved += usize::from(before[0] == gone);
        }
        assert!((200..700).contains(&moved), "{moved} keys were its own");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// A key keeps its target while that one is there, whatever becomes of the others.
    #[test]
    fn a_key_stays_where_it_is(
        weights in proptest::collection::vec(0_u32..200, 2..8),
        here in proptest::collection::vec(any::<bool>(), 8),
        key in ".{0,16}",
    ) {
        let names: Vec<_> = (0..weights.len()).map(|n| n.to_string()).collect();
        let named: Vec<_> = names.iter().map(String::as_str).zip(weights.iter().copied()).collect();
        let ring = Ring::new(&members(&named));
        let mut views = vec![View::default(); weights.len()];
        let mut expected = order(&ring, &key, &views);
        for (view, here) in views.iter_mut().zip(&here) {
            view.eligible = *here;
        }
        expected.retain(|index| here[*index]);
        prop_assert_eq!(order(&ring, &key, &views), expected);
    }
}
