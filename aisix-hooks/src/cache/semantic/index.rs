//! Vectors in memory, and which of them are near.
//!
//! All vectors that can be meant are looked at, a piece at a time. With the ten thousand that there are at most that takes some
//! milliseconds, in which other calls have their turn between the pieces.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
};

use aisix_core::call::likeness;
use foldhash::fast::RandomState;
use parking_lot::RwLock;

use super::{Fingerprint, Place};

/// How many requests that are alike are told.
const NEAREST: usize = 8;
/// How many numbers are looked at in a row, about: a tenth of a millisecond.
const PIECE: usize = 256 * 1024;
/// How far from the threshold a request may be, since numbers are rounded.
const ROUNDED: f32 = 1e-6;
/// What is kept beside a vector, in bytes, about.
const OVERHEAD: usize = 128;

/// Where requests stand whose answers are kept.
#[derive(Default)]
pub(in super::super) struct Index {
    kept: RwLock<Shelves>,
    clock: AtomicU64,
}

#[derive(Default)]
struct Shelves {
    /// By what requests must share to be alike.
    by_rest: HashMap<Fingerprint, Vec<Kept>, RandomState>,
    count: usize,
    bytes: usize,
}

/// Where one request stands.
struct Kept {
    /// Under which its answer is kept.
    fingerprint: Fingerprint,
    vector: Arc<[f32]>,
    /// When it was last of use.
    used: AtomicU64,
}

// === impl Index ===

impl Index {
    /// The requests that are at least as near as `threshold`, nearest first, and not more than a few.
    pub(super) async fn near(&self, place: &Place, threshold: f32) -> Vec<(f32, Fingerprint)> {
        let mut found = Vec::new();
        let piece = (PIECE / place.vector.len().max(1)).max(1);
        let mut from = 0;
        loop {
            // What comes and goes between two pieces may be missed, or be seen twice.
            let seen = {
                let kept = self.kept.read();
                let kept = kept.by_rest.get(&place.rest).map(Vec::as_slice);
                let kept = kept.and_then(|kept| kept.get(from..)).unwrap_or_default();
                let kept = &kept[..kept.len().min(piece)];
                for kept in kept {
                    let likeness = likeness(&kept.vector, &place.vector);
                    let near = likeness.filter(|likeness| likeness + ROUNDED >= threshold);
                    if let Some(likeness) = near {
                        add(&mut found, likeness, kept.fingerprint);
                    }
                }
                kept.len()
            };
            if seen < piece {
                return found;
            }
            from += seen;
            give_way().await;
        }
    }

    /// Keeps where a request stands, once; what was of no use for the longest time makes room.
    pub(super) fn put(&self, place: &Place, fingerprint: Fingerprint, most: usize, bytes: usize) {
        let used = self.clock.fetch_add(1, Ordering::Relaxed).into();
        let kept = Kept {
            fingerprint,
            vector: place.vector.clone(),
            used,
        };
        let mut shelves = self.kept.write();
        shelves.remove(place.rest, fingerprint);
        shelves.count += 1;
        shelves.bytes += kept.weight();
        shelves.by_rest.entry(place.rest).or_default().push(kept);
        while shelves.count > most || shelves.bytes > bytes {
            shelves.remove_oldest();
        }
    }

    /// Notes that a request was of use.
    pub(super) fn touch(&self, rest: Fingerprint, fingerprint: Fingerprint) {
        let shelves = self.kept.read();
        let mut kept = shelves.by_rest.get(&rest).into_iter().flatten();
        if let Some(kept) = kept.find(|kept| kept.fingerprint == fingerprint) {
            let now = self.clock.fetch_add(1, Ordering::Relaxed);
            kept.used.store(now, Ordering::Relaxed);
        }
    }

    pub(super) fn remove(&self, rest: Fingerprint, fingerprint: Fingerprint) {
        self.kept.write().remove(rest, fingerprint);
    }
}

// === impl Shelves ===

impl Shelves {
    fn remove(&mut self, rest: Fingerprint, fingerprint: Fingerprint) {
        let Some(shelf) = self.by_rest.get_mut(&rest) else {
            return;
        };
        let Some(at) = shelf.iter().position(|it| it.fingerprint == fingerprint) else {
            return;
        };
        let gone = shelf.swap_remove(at);
        if shelf.is_empty() {
            self.by_rest.remove(&rest);
        }
        self.count -= 1;
        self.bytes -= gone.weight();
    }

    fn remove_oldest(&mut self) {
        let all = self.by_rest.iter();
        let all = all.flat_map(|(rest, shelf)| shelf.iter().map(move |kept| (rest, kept)));
        let oldest = all.min_by_key(|(_, kept)| kept.used.load(Ordering::Relaxed));
        match oldest.map(|(rest, kept)| (*rest, kept.fingerprint)) {
            Some((rest, fingerprint)) => self.remove(rest, fingerprint),
            // Nothing is left to be removed.
            None => (self.count, self.bytes) = (0, 0),
        }
    }
}

// === impl Kept ===

impl Kept {
    fn weight(&self) -> usize {
        size_of_val(&*self.vector) + OVERHEAD
    }
}

/// Adds a request to those found, nearest first, and not more than a few.
fn add(found: &mut Vec<(f32, Fingerprint)>, likeness: f32, fingerprint: Fingerprint) {
    let at = found.partition_point(|(other, _)| *other >= likeness);
    if at < NEAREST {
        found.insert(at, (likeness, fingerprint));
        found.truncate(NEAREST);
    }
}

/// Lets other calls have their turn.
async fn give_way() {
    let mut has_waited = false;
    poll_fn(|cx| match std::mem::replace(&mut has_waited, true) {
        true => Poll::Ready(()),
        false => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn print(number: usize) -> Fingerprint {
        Fingerprint::of(&number.to_le_bytes())
    }

    /// A place in a plane, by its angle in degrees.
    fn place(rest: usize, degrees: f32) -> Place {
        let (sin, cos) = degrees.to_radians().sin_cos();
        Place {
            rest: print(rest),
            vector: [cos, sin].into(),
        }
    }

    async fn near(index: &Index, rest: usize, degrees: f32, threshold: f32) -> Vec<Fingerprint> {
        let found = index.near(&place(rest, degrees), threshold).await;
        found.into_iter().map(|(_, print)| print).collect()
    }

    #[tokio::test]
    async fn the_nearest_come_first_and_others_not_at_all() {
        let index = Index::default();
        for (number, degrees) in [(1, 0.0), (2, 10.0), (3, 40.0), (4, 180.0)] {
            index.put(&place(0, degrees), print(number), 100, 1 << 20);
        }
        index.put(&place(1, 9.0), print(5), 100, 1 << 20);
        let nearest = near(&index, 0, 9.0, 0.95).await;
        assert_eq!(nearest, [print(2), print(1)]);
        assert_eq!(near(&index, 0, 9.0, 1.0).await, []);
        assert_eq!(near(&index, 0, 10.0, 1.0).await, [print(2)]);
        assert_eq!(near(&index, 0, 180.0, 0.0).await, [print(4)]);
        assert_eq!(near(&index, 2, 9.0, 0.0).await, []);
        for number in 10..30 {
            index.put(&place(0, 9.0), print(number), 100, 1 << 20);
        }
        assert_eq!(near(&index, 0, 9.0, 0.95).await.len(), NEAREST);
    }

    #[tokio::test]
    async fn vectors_of_another_length_are_not_compared() {
        let index = Index::default();
        index.put(&place(0, 0.0), print(1), 100, 1 << 20);
        let other = Place {
            rest: print(0),
            vector: [1.0, 0.0, 0.0].into(),
        };
        assert_eq!(index.near(&other, 0.0).await, []);
    }

    #[tokio::test]
    async fn what_was_of_no_use_for_longest_makes_room() {
        let index = Index::default();
        for number in 1..=3 {
            index.put(&place(number, 0.0), print(number), 3, 1 << 20);
        }
        index.touch(print(1), print(1));
        index.put(&place(4, 0.0), print(4), 3, 1 << 20);
        for (number, is_there) in [(1, true), (2, false), (3, true), (4, true)] {
            let found = near(&index, number, 0.0, 0.9).await;
            assert_eq!(!found.is_empty(), is_there, "{number}");
        }
        // The same once more takes no other's place.
        index.put(&place(4, 90.0), print(4), 3, 1 << 20);
        assert_eq!(near(&index, 4, 90.0, 0.9).await, [print(4)]);
        assert_eq!(near(&index, 4, 0.0, 0.9).await, []);
        assert_eq!(index.kept.read().count, 3);
    }

    #[tokio::test]
    async fn vectors_are_bounded_by_bytes_and_leave_nothing_behind() {
        let index = Index::default();
        for number in 0..1_000 {
            index.put(&place(number, 0.0), print(number), 10_000, 10_000);
        }
        assert!(index.kept.read().bytes <= 10_000);
        assert_eq!(index.kept.read().count, 10_000 / (OVERHEAD + 8));
        assert_eq!(index.kept.read().by_rest.len(), index.kept.read().count);
        for number in 0..1_000 {
            index.remove(print(number), print(number));
        }
        let kept = index.kept.read();
        assert_eq!((kept.count, kept.bytes, kept.by_rest.len()), (0, 0, 0));
        drop(kept);
        // One that is larger than all.
        index.put(&place(0, 0.0), print(0), 10, 1);
        assert_eq!(index.kept.read().count, 0);
    }

    #[tokio::test]
    async fn all_pieces_are_looked_at() {
        let index = Index::default();
        let vector = |at: usize| {
            let mut vector = vec![0.0; 4_096];
            vector[at] = 1.0;
            Place {
                rest: print(0),
                vector: vector.into(),
            }
        };
        for at in 0..200 {
            index.put(&vector(at), print(at), 10_000, 1 << 30);
        }
        for at in [0, 63, 64, 65, 127, 128, 199] {
            assert_eq!(index.near(&vector(at), 0.9).await, [(1.0, print(at))]);
        }
    }
}
