use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;
use crate::balance::Strategies;

fn candidate(name: &str, tier: i64, tags: &[&str]) -> Candidate {
    Candidate {
        member: Member::new(name),
        tier,
        tags: tags.iter().map(|tag| Arc::from(*tag)).collect(),
    }
}

fn group(strategy: &str, candidates: Vec<Candidate>) -> Group {
    let strategies = Strategies::new();
    let strategy = strategies.find(strategy).unwrap();
    Group::new(strategy.as_ref(), candidates, &States::default(), "test")
}

fn tiers(tiers: &[i64]) -> Vec<Candidate> {
    let named = tiers.iter().enumerate();
    named
        .map(|(index, tier)| candidate(&index.to_string(), *tier, &[]))
        .collect()
}

/// `f` for fit, `c` for cooling, `u` for unfit; upper case for excluded.
fn standings(text: &str) -> Vec<Standing> {
    let standing = |letter: char| Standing {
        excluded: letter.is_uppercase(),
        fitness: match letter.to_ascii_lowercase() {
            'f' => Fitness::Fit,
            'c' => Fitness::Cooling,
            _ => Fitness::Unfit,
        },
        view: View::default(),
    };
    text.chars().map(standing).collect()
}

fn plan(group: &Group, text: &str) -> Plan {
    group.plan(&Facts::default(), &standings(text), &mut Random::seeded(0))
}

fn order(group: &Group, text: &str) -> Vec<usize> {
    match plan(group, text) {
        Plan::Try(order) => order.to_vec(),
        Plan::Nobody => Vec::new(),
    }
}

fn tried(order: &[usize]) -> Plan {
    Plan::Try(order.iter().copied().collect())
}

#[test]
fn lower_tiers_come_first_and_keep_their_order() {
    let group = group("failover", tiers(&[7, -1, 7, 0, -1]));
    assert_eq!(plan(&group, "fffff"), tried(&[1, 4, 3, 0, 2]));
    assert_eq!(plan(&group, "ffFff"), tried(&[1, 4, 3, 0]));
    assert_eq!(plan(&group, "fufcc"), tried(&[0, 2, 4, 3]));
}

#[test]
fn each_tier_has_turns_of_its_own() {
    let group = group("round_robin", tiers(&[0, 0, 1, 1]));
    assert_eq!(order(&group, "ffff"), [0, 1, 2, 3]);
    assert_eq!(order(&group, "ffff"), [1, 0, 3, 2]);
    assert_eq!(
        order(&group, "ccff"),
        [2, 3, 0, 1],
        "fit ones of any tier before cooling ones"
    );
}

#[test]
fn cooling_targets_are_tried_when_nobody_is_fit_and_behind_those_who_are() {
    let group = group("failover", tiers(&[1, 0, 0]));
    assert_eq!(plan(&group, "ccu"), tried(&[1, 0]));
    assert_eq!(plan(&group, "cCF"), tried(&[0]));
    assert_eq!(plan(&group, "fcu"), tried(&[0, 1]));
}

#[test]
fn unfit_targets_are_tried_only_when_the_group_is_told_to() {
    let group = group("failover", tiers(&[1, 0, 0]));
    assert_eq!(plan(&group, "uuu"), Plan::Nobody);
    let group = group.try_anyway(true);
    assert_eq!(plan(&group, "uuU"), tried(&[1, 0]));
    assert_eq!(plan(&group, "uuc"), tried(&[2]));
    assert_eq!(plan(&group, "UFC"), Plan::Nobody, "excluded ones never are");
}

#[test]
fn benched_targets_do_not_use_up_the_places_of_healthy_ones() {
    let group = group("failover", tiers(&[0, 0, 1, 2])).max_fallbacks(Some(1));
    assert_eq!(order(&group, "ffff"), [0, 1]);
    assert_eq!(order(&group, "cuff"), [2, 3]);
    assert_eq!(order(&group.max_fallbacks(Some(0)), "cFff"), [2]);
}

#[test]
fn any_number_of_fallbacks_is_a_bound() {
    let many = group("failover", tiers(&[0; 40])).max_fallbacks(Some(u32::MAX));
    assert_eq!(order(&many, &"f".repeat(40)).len(), 40);
    assert_eq!(order(&many.max_fallbacks(None), &"f".repeat(40)).len(), 40);
}

#[test]
fn tiers_that_have_no_place_are_not_asked() {
    let group = group("round_robin", tiers(&[0, 1, 1])).max_fallbacks(Some(0));
    for _ in 0..3 {
        assert_eq!(order(&group, "fff"), [0]);
    }
    assert_eq!(
        order(&group, "cff"),
        [1],
        "the first turn of the second tier"
    );
}

#[test]
fn of_targets_with_the_same_name_the_first_counts() {
    let twice = vec![
        candidate("a", 5, &["x"]),
        candidate("b", 1, &[]),
        candidate("a", 0, &["y"]),
    ];
    let group = group("failover", twice);
    assert_eq!(order(&group, "fff"), [1, 0]);
    assert_eq!(order(&group, "FFf"), [] as [usize; 0]);
    assert_eq!(group.by_tags(&["y"]), Err(NoMatch));
}

#[test]
fn a_target_without_a_standing_is_excluded() {
    let group = group("failover", tiers(&[0, 0])).try_anyway(true);
    assert_eq!(order(&group, "f"), [0]);
    assert_eq!(plan(&group, ""), Plan::Nobody);
    assert_eq!(order(&group, "ffffff"), [0, 1]);
    let mut closed = standings("ff");
    closed[0].view.eligible = false;
    let plan = group.plan(&Facts::default(), &closed, &mut Random::seeded(0));
    assert_eq!(plan, tried(&[1]));
}

#[test]
fn a_group_of_nobody_has_no_plan() {
    let group = group("round_robin", Vec::new());
    assert_eq!(plan(&group, ""), Plan::Nobody);
    assert_eq!(group.by_tags(&["x"]), Ok(Mask::none()));
}

#[test]
fn tags_choose_those_who_have_one_of_them() {
    let chosen = |group: &Group, tags: &[&str]| {
        let mask = group.by_tags(tags)?;
        Ok::<_, NoMatch>((0..9).filter(|i| mask.contains(*i)).collect::<Vec<_>>())
    };
    let untagged = group("failover", tiers(&[0, 0]));
    assert_eq!(chosen(&untagged, &[]), Ok(vec![0, 1]));
    assert_eq!(chosen(&untagged, &["eu"]), Ok(vec![0, 1]));

    let some = vec![
        candidate("a", 0, &["eu", "fast"]),
        candidate("b", 0, &["us"]),
        candidate("c", 0, &[]),
    ];
    let some = group("failover", some);
    assert_eq!(chosen(&some, &["eu"]), Ok(vec![0]));
    assert_eq!(chosen(&some, &["us", "fast", "none"]), Ok(vec![0, 1]));
    assert_eq!(chosen(&some, &[]), Ok(vec![0, 1, 2]));
    assert_eq!(chosen(&some, &["EU"]), Err(NoMatch));

    let default = vec![
        candidate("a", 0, &["eu", "default"]),
        candidate("b", 0, &["us"]),
        candidate("c", 0, &["default"]),
    ];
    let default = group("failover", default);
    assert_eq!(chosen(&default, &[]), Ok(vec![0, 2]));
    assert_eq!(chosen(&default, &["none"]), Ok(vec![0, 2]));
    assert_eq!(chosen(&default, &["us"]), Ok(vec![1]));
}

#[test]
fn turns_outlive_snapshots_until_the_members_change() {
    let (states, strategies) = (States::default(), Strategies::new());
    let strategy = strategies.find("round_robin").unwrap();
    let compile = |candidates: &[Candidate], identity| {
        Group::new(strategy.as_ref(), candidates.to_vec(), &states, identity)
    };
    let mut targets = tiers(&[0, 0, 0]);
    let first = compile(&targets, "model/1");
    assert_eq!(order(&first, "fff")[0], 0);

    targets[1].tags.push("eu".into());
    let second = compile(&targets, "model/1").max_fallbacks(Some(0));
    assert_eq!(
        order(&second, "fff")[0],
        1,
        "tags and bounds change no turns"
    );
    assert_eq!(
        order(&first, "fff")[0],
        2,
        "a request may hold the old snapshot"
    );
    assert_eq!(order(&second, "fff")[0], 0);
    assert_eq!(order(&compile(&targets, "model/2"), "fff")[0], 0);

    targets[2].member.weight = 2;
    let third = compile(&targets, "model/1");
    assert_eq!(order(&third, "fff")[0], 2, "anew, and it is the heaviest");

    // Each is held while the next one is made, so that it could be found.
    let begins = |targets: &[Candidate]| {
        let group = compile(targets, "model/3");
        assert_eq!(order(&group, "fff")[0], 0);
        group
    };
    let mut others = tiers(&[0, 0, 0]);
    let as_declared = begins(&others);
    others[1].member.name = "9".into();
    let renamed = begins(&others);
    for target in &mut others {
        target.tier = 1;
    }
    let moved = begins(&others);
    drop((as_declared, renamed, moved));

    drop((first, second, third));
    targets[2].member.weight = 1;
    assert_eq!(
        order(&compile(&targets, "model/1"), "fff")[0],
        0,
        "forgotten"
    );
}

#[test]
fn another_strategy_remembers_by_itself() {
    let (states, strategies) = (States::default(), Strategies::new());
    let targets = tiers(&[0, 0]);
    let compile = |strategy| {
        let strategy = strategies.find(strategy).unwrap();
        Group::new(strategy.as_ref(), targets.clone(), &states, "model/1")
    };
    let turns = compile("round_robin");
    let none = compile("failover");
    let firsts = [&turns, &none, &turns, &none].map(|group| order(group, "ff")[0]);
    assert_eq!(firsts, [0, 0, 1, 0]);
    assert_eq!(
        [turns.strategy(), none.strategy()],
        ["round_robin", "failover"]
    );
}

#[test]
fn a_new_price_is_heeded() {
    let (states, strategies) = (States::default(), Strategies::new());
    let strategy = strategies.find("least_cost").unwrap();
    let mut targets = tiers(&[0, 0]);
    let mut cheapest = |costs: [Option<f64>; 2]| {
        for (target, cost) in targets.iter_mut().zip(costs) {
            target.member.cost = cost;
        }
        let group = Group::new(strategy.as_ref(), targets.clone(), &states, "model/1");
        (order(&group, "ff")[0], group)
    };
    let before = cheapest([Some(1.0), Some(2.0)]);
    let after = cheapest([Some(3.0), Some(2.0)]);
    let unknown = cheapest([Some(0.0), None]);
    let free = cheapest([None, Some(0.0)]);
    assert_eq!([before.0, after.0, unknown.0, free.0], [0, 1, 0, 1]);
}

/// Puts whatever it likes, and is made once for each list of members.
struct Careless(Arc<AtomicUsize>);

impl crate::balance::Strategy for Careless {
    fn name(&self) -> &'static str {
        "careless"
    }

    fn picker(&self, _: &[Member]) -> Box<dyn Picker> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::new(Self(self.0.clone()))
    }
}

impl Picker for Careless {
    fn order(&self, _: &Facts<'_>, _: &[View], _: &mut Random, order: &mut Order) {
        for index in [1, 70, usize::MAX, 1, 0, 2, 2] {
            order.push(index);
        }
    }
}

#[test]
fn a_careless_strategy_does_no_harm() {
    let states = States::default();
    let made = Arc::new(AtomicUsize::new(0));
    let careless = Careless(made.clone());
    let compile = || Group::new(&careless, tiers(&[0, 0, 0, 0, 1]), &states, "test");
    let (group, same) = (compile(), compile());
    assert_eq!(order(&group, "ffcff"), [1, 0, 4, 2], "3 is left out");
    assert_eq!(order(&same, "cccuu"), [1, 0, 2]);
    assert_eq!(made.load(Ordering::Relaxed), 2, "once for each tier");
    assert_eq!(plan(&group, "uuucu"), Plan::Nobody);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Who may serve is planned, each once, the fit ones first and of these the lower tiers, as many as the bound lets.
    #[test]
    fn a_plan_has_those_who_may_the_best_first(
        targets in proptest::collection::vec((-2_i64..3, "[fcuFCU]", 0_u32..4), 0..70),
        max_fallbacks in proptest::option::of(0_u32..5),
        try_anyway: bool,
        key in "[a-c]{0,2}",
        seed: u64,
    ) {
        let text: String = targets.iter().map(|(_, letter, _)| letter.as_str()).collect();
        let standings = standings(&text);
        let mut random = Random::seeded(seed);
        for strategy in Strategies::new().names() {
            let candidates = targets.iter().enumerate().map(|(index, (tier, _, weight))| {
                let mut candidate = candidate(&index.to_string(), *tier, &[]);
                candidate.member.weight = *weight;
                candidate
            });
            let group = group(strategy, candidates.collect())
                .max_fallbacks(max_fallbacks)
                .try_anyway(try_anyway);
            let facts = Facts { key: &key, streams: false };
            let plan = group.plan(&facts, &standings, &mut random);

            let rank = |index: &usize| match standings[*index].fitness {
                Fitness::Fit => 0,
                Fitness::Cooling => 1,
                Fitness::Unfit => 2,
            };
            let mut able: Vec<usize> = (0..targets.len()).filter(|it| !standings[*it].excluded).collect();
            let is_anybody_better = able.iter().any(|index| rank(index) < 2);
            able.retain(|index| rank(index) < 2 || (try_anyway && !is_anybody_better));
            let Plan::Try(order) = plan else {
                prop_assert!(able.is_empty());
                continue;
            };
            let room = max_fallbacks.map_or(usize::MAX, |max| max as usize + 1);
            prop_assert_eq!(order.len(), able.len().min(room));
            let tier = |index: &usize| targets[*index].0;
            let how_good = |index: &usize| (rank(index), tier(index));
            prop_assert!(order.is_sorted_by_key(how_good));
            let mut once = order.to_vec();
            once.sort_unstable();
            once.dedup();
            prop_assert_eq!(once.len(), order.len());
            prop_assert!(once.iter().all(|index| able.contains(index)));
            // The bound cuts off what is worse, never what is better.
            let last = order.last().map(how_good);
            let better = able.iter().filter(|index| Some(how_good(index)) < last);
            prop_assert!(better.into_iter().all(|index| once.contains(index)));
        }
    }
}
