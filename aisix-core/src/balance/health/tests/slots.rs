use std::{future::Future, num::NonZeroU32, pin::Pin};

use futures_util::FutureExt;
use proptest::prelude::*;
use tokio::time::advance;

use super::*;

type Waiting = Pin<Box<dyn Future<Output = Result<Slot, NoSlot>>>>;

fn limits(max_connections: u32, max_queue: u32) -> SlotLimits {
    SlotLimits {
        max_connections: NonZeroU32::new(max_connections).unwrap(),
        max_queue,
        queue_timeout: Duration::from_secs(10),
    }
}

fn acquire(slots: &Arc<Slots>, limits: SlotLimits) -> Waiting {
    let slots = slots.clone();
    Box::pin(async move { slots.acquire(Instant::now(), &limits).await })
}

fn counts(slots: &Slots) -> (u32, usize) {
    (slots.held(), slots.waiting())
}

/// What a future has to say now: `None` if it waits.
fn now(waiting: &mut Waiting) -> Option<Result<Slot, NoSlot>> {
    waiting.now_or_never()
}

#[tokio::test(start_paused = true)]
async fn first_come_first_served() {
    let slots = Arc::new(Slots::new());
    let first = acquire(&slots, limits(1, 2)).await.unwrap();
    let mut second = acquire(&slots, limits(1, 2));
    let mut third = acquire(&slots, limits(1, 2));
    assert!(now(&mut second).is_none());
    assert!(now(&mut third).is_none());
    let fourth = acquire(&slots, limits(1, 2)).await;
    assert_eq!(fourth.unwrap_err(), NoSlot::QueueFull);
    assert_eq!(counts(&slots), (1, 2));

    drop(first);
    assert!(now(&mut third).is_none(), "it is not its turn");
    let second = now(&mut second).unwrap().unwrap();
    assert_eq!(counts(&slots), (1, 1));
    drop(second);
    let third = now(&mut third).unwrap().unwrap();
    drop(third);
    assert_eq!(counts(&slots), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_allowed() {
    let slots = Arc::new(Slots::new());
    let held = acquire(&slots, limits(1, 9)).await.unwrap();
    let mut waiting = acquire(&slots, limits(1, 9));
    assert!(now(&mut waiting).is_none());
    advance(Duration::from_millis(9_990)).await;
    assert!(now(&mut waiting).is_none());
    advance(Duration::from_millis(20)).await;
    let refused = now(&mut waiting).unwrap();
    assert_eq!(refused.unwrap_err(), NoSlot::TimedOut);
    assert_eq!(counts(&slots), (1, 0));
    drop(held);
    assert_eq!(counts(&slots), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn any_time_can_be_waited() {
    let slots = Arc::new(Slots::new());
    let for_ever = SlotLimits {
        queue_timeout: Duration::MAX,
        ..limits(1, 1)
    };
    let _held = acquire(&slots, for_ever).await.unwrap();
    let mut waiting = acquire(&slots, for_ever);
    assert!(now(&mut waiting).is_none());
    advance(Duration::from_secs(86_400)).await;
    assert!(now(&mut waiting).is_none());
}

#[tokio::test(start_paused = true)]
async fn who_leaves_the_queue_makes_room_and_loses_no_slot() {
    let slots = Arc::new(Slots::new());
    let held = acquire(&slots, limits(1, 2)).await.unwrap();
    let mut gone = acquire(&slots, limits(1, 2));
    let mut granted = acquire(&slots, limits(1, 2));
    assert!(now(&mut gone).is_none());
    assert!(now(&mut granted).is_none());
    drop(gone);
    assert_eq!(counts(&slots), (1, 1));
    let mut last = acquire(&slots, limits(1, 2));
    assert!(now(&mut last).is_none());

    // The slot is on its way to one who leaves without looking.
    drop(held);
    assert_eq!(counts(&slots), (1, 1));
    drop(granted);
    drop(now(&mut last).unwrap().unwrap());
    assert_eq!(counts(&slots), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_latest_limits_apply() {
    let slots = Arc::new(Slots::new());
    let mut held = vec![
        acquire(&slots, limits(2, 9)).await.unwrap(),
        acquire(&slots, limits(2, 9)).await.unwrap(),
    ];
    let mut waiting = acquire(&slots, limits(1, 9));
    assert!(now(&mut waiting).is_none());
    held.pop();
    assert!(now(&mut waiting).is_none(), "one is held, and one may be");
    let more = acquire(&slots, limits(4, 9)).await.unwrap();
    let waited = now(&mut waiting).unwrap().unwrap();
    assert_eq!(counts(&slots), (3, 0));
    drop((more, waited, held));
    assert_eq!(counts(&slots), (0, 0));
}

#[test]
fn no_slot_is_an_error_that_another_target_may_cure() {
    for no_slot in [NoSlot::QueueFull, NoSlot::TimedOut] {
        let error = Error::from(no_slot);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.retry(), crate::Retry::Elsewhere);
        assert_eq!(error.message(), no_slot.to_string());
        assert_eq!(Verdict::from(&error), Verdict::Nothing);
    }
}

#[test]
fn no_slot_is_lost_between_threads() {
    let slots = Arc::new(Slots::new());
    let one = limits(2, 100);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let slots = &slots;
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    for round in 0..500 {
                        let mut waiting = acquire(slots, one);
                        // Every third caller leaves after one look.
                        if round % 3 == thread % 3 {
                            drop(now(&mut waiting));
                        } else {
                            let slot = waiting.await.expect("somebody gives one back");
                            assert!(slots.held() <= 2);
                            drop(slot);
                        }
                    }
                });
            });
        }
    });
    assert_eq!(counts(&slots), (0, 0));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Come,
    Look(usize),
    Leave(usize),
    GiveBack(usize),
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_slots_are_bounded_served_in_order_and_all_come_back(
        max in 1_u32..4,
        queue in 0_u32..4,
        steps in proptest::collection::vec(prop_oneof![
            3 => Just(Step::Come),
            3 => (0_usize..8).prop_map(Step::Look),
            1 => (0_usize..8).prop_map(Step::Leave),
            3 => (0_usize..8).prop_map(Step::GiveBack),
        ], 0..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let slots = Arc::new(Slots::new());
            // Those that wait, oldest first, and those that hold a slot.
            let (mut waiting, mut held) = (Vec::<Waiting>::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Come => {
                        let mut comes = acquire(&slots, limits(max, queue));
                        match now(&mut comes) {
                            None => waiting.push(comes),
                            Some(Ok(slot)) => held.push(slot),
                            Some(Err(error)) => assert_eq!(error, NoSlot::QueueFull),
                        }
                    }
                    Step::Look(index) if index < waiting.len() => {
                        if let Some(result) = now(&mut waiting[index]) {
                            held.push(result.unwrap());
                            drop(waiting.remove(index));
                        }
                    }
                    Step::Leave(index) if index < waiting.len() => drop(waiting.remove(index)),
                    Step::GiveBack(index) if index < held.len() => drop(held.swap_remove(index)),
                    _ => {}
                }
                // Slots that are on their way to who has not looked yet are held too.
                let on_the_way = slots.held() as usize - held.len();
                assert!(slots.held() <= max);
                assert!(slots.waiting() <= queue as usize);
                assert_eq!(slots.waiting() + on_the_way, waiting.len());
                assert!(slots.waiting() == 0 || slots.held() == max, "nobody waits for nothing");
            }
            // What is on the way goes to those who came first.
            let on_the_way = slots.held() as usize - held.len();
            let granted: Vec<_> = waiting.iter_mut().map(now).collect();
            for (place, granted) in granted.iter().enumerate() {
                assert_eq!(granted.is_some(), place < on_the_way);
            }
            drop(granted);
            drop(waiting);
            drop(held);
            assert_eq!(counts(&slots), (0, 0));
        });
    }
}
