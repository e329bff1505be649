use proptest::{collection::vec, prelude::*};

use super::*;

const TRIALS: u32 = 2;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Time passes, in seconds.
    Wait(u64),
    Admit,
    Force,
    Head(usize),
    End(usize, Ending),
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    Success,
    Failure,
    Nothing,
    Drop,
}

fn step() -> impl Strategy<Value = Step> {
    let ending = prop_oneof![
        2 => Just(Ending::Success),
        4 => Just(Ending::Failure),
        1 => Just(Ending::Nothing),
        2 => Just(Ending::Drop),
    ];
    prop_oneof![
        2 => (1_u64..40).prop_map(Step::Wait),
        5 => Just(Step::Admit),
        1 => Just(Step::Force),
        1 => (0_usize..6).prop_map(Step::Head),
        5 => (0_usize..6, ending).prop_map(|(index, ending)| Step::End(index, ending)),
    ]
}

fn settings() -> impl Strategy<Value = HealthSettings> {
    let breaker = CircuitBreaker {
        consecutive_failures: 2,
        half_open_trials: TRIALS,
        min_requests: 2,
        ..CircuitBreaker::default()
    };
    (any::<bool>(), any::<bool>(), prop_oneof![Just(0), Just(20)]).prop_map(
        move |(cools, by_ratio, slow_start_seconds)| HealthSettings {
            cooldown: Cooldown {
                enabled: cools,
                ..Cooldown::default()
            },
            breaker: Some(CircuitBreaker {
                failure_ratio: by_ratio.then_some(0.5),
                slow_start_seconds,
                ..breaker
            }),
            ..HealthSettings::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_calls_are_counted_trials_are_few_and_nobody_is_away_for_ever(
        settings in settings(),
        steps in vec(step(), 0..80),
    ) {
        let bench = Bench::new(settings);
        let mut now = 0.0;
        let mut flights = Vec::<InFlight>::new();
        // When trials were admitted since the breaker was last seen open.
        let mut trials: Vec<(f64, u64)> = Vec::new();
        let mut given_back = 0_u64;
        for step in steps {
            match step {
                Step::Wait(seconds) => now += seconds as f64,
                Step::Admit => {
                    let fitness = bench.fitness(now);
                    let flight = bench.admit(now);
                    let shut = matches!(fitness, Fitness::Unfit { .. });
                    prop_assert_eq!(flight.is_none(), shut, "fitness tells what is admitted");
                    if let Some(flight) = flight {
                        if let Some(epoch) = flight.trial_epoch() {
                            trials.retain(|&(_, of)| of == epoch);
                            if trials.is_empty() {
                                given_back = 0;
                            }
                            trials.push((now, epoch));
                            // One more for each 30 seconds without an answer.
                            let overdue = ((now - trials[0].0) / 30.0) as u64;
                            let allowed = u64::from(TRIALS) + given_back + overdue;
                            prop_assert!(trials.len() as u64 <= allowed);
                        }
                        flights.push(flight);
                    }
                }
                Step::Force => flights.push(bench.state.begin(bench.at(now))),
                Step::Head(index) if index < flights.len() => {
                    flights[index].head_received(bench.at(now));
                }
                Step::End(index, ending) if index < flights.len() => {
                    let flight = flights.swap_remove(index);
                    let is_given_back = matches!(ending, Ending::Nothing | Ending::Drop);
                    if is_given_back && flight.trial_epoch().is_some() {
                        given_back += 1;
                    }
                    match ending {
                        Ending::Success => bench.ended(flight, now, Verdict::Success),
                        Ending::Failure => bench.ended(flight, now, status(500)),
                        Ending::Nothing => bench.ended(flight, now, Verdict::Nothing),
                        Ending::Drop => drop(flight),
                    }
                }
                _ => {}
            }
            prop_assert_eq!(bench.state.in_flight() as usize, flights.len());
            let share = bench.state.share(bench.at(now), &bench.settings);
            prop_assert!((0.1..=1.0).contains(&share));
        }
        drop(flights);
        prop_assert_eq!(bench.state.in_flight(), 0);
        // Whatever was, the longest time later it is tried, and one success after the other closes it.
        now += 301.0;
        for _ in 0..TRIALS {
            let flight = bench.admit(now);
            prop_assert!(flight.is_some(), "a target comes back");
            bench.ended(flight.unwrap(), now, Verdict::Success);
        }
        now += 30.0;
        prop_assert_eq!(bench.fitness(now), Fitness::Fit);
        let together: Vec<_> = (0..20).filter_map(|_| bench.admit(now)).collect();
        prop_assert_eq!(together.len(), 20);
    }
}

#[test]
fn between_threads_calls_are_counted_and_trials_are_few() {
    let breaker = CircuitBreaker {
        consecutive_failures: 1,
        ..CircuitBreaker::default()
    };
    for _ in 0..200 {
        let bench = Bench::with_breaker(breaker);
        bench.call(0.0, broken());
        let admitted = std::thread::scope(|scope| {
            let admit = || scope.spawn(|| bench.admit(31.0));
            let threads: Vec<_> = (0..4).map(|_| admit()).collect();
            let flights = threads.into_iter().filter_map(|it| it.join().unwrap());
            flights.collect::<Vec<_>>()
        });
        assert_eq!(admitted.len(), 1);
        assert_eq!(bench.state.in_flight(), 1);
        drop(admitted);
        assert_eq!(bench.state.in_flight(), 0);
        assert!(bench.admit(31.0).is_some());
    }
}
