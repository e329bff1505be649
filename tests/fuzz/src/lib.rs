//! What must hold for any input: each target of the fuzzer is one of these functions.
//!
//! Run them with `make fuzz`, and a single one from the root of the repository with
//!
//! ```text
//! cargo run --manifest-path tests/fuzz/Cargo.toml --example seeds
//! cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none round_trip -- -timeout=5 -max_len=65536
//! ```
//!
//! Stable Rust is enough, since nothing here needs a sanitizer: `aisix-wire` forbids unsafe code, so that a defect
//! is a panic, a slow input or an answer that is wrong. An input that fails is left in `tests/fuzz/artifacts`;
//! its test goes into `aisix-wire`.
//!
//! Every target takes plain bytes, so that a seed is a file as it goes over the wire. What else a case needs, like
//! a model's name or where a stream is cut, is drawn from a hash of them.

mod document;
mod envelope;
mod events;
mod mutate;
mod sse;
mod stream;

use aisix_wire::Dialect;
use aisix_wire::chat::{CallerCodec, UpstreamCodec, WriteContext, caller_codec, upstream_codec};

pub use self::document::embeddings;
pub use self::envelope::envelope;
pub use self::sse::sse;

const DIALECTS: [Dialect; 4] = [
    Dialect::OpenAi,
    Dialect::Responses,
    Dialect::Anthropic,
    Dialect::Gemini,
];

/// One dialect reads what it is given, and writes what it read so that it reads the same again.
pub fn dialect(dialect: Dialect, data: &[u8]) {
    let mut dice = Dice::of(data);
    match sides(dialect) {
        (Some(caller), Some(upstream)) => {
            document::request(caller, (dialect, upstream), &mut dice, data);
            document::answer(upstream, (dialect, caller), &mut dice, data);
            stream::any_split(upstream, &mut dice, data);
            stream::translate(upstream, (dialect, caller), &mut dice, data);
        }
        (Some(caller), None) => drop(caller.read_request(data)),
        (None, _) => {}
    }
}

/// Every dialect reads what it is given, every other writes it, and reads what it wrote.
pub fn round_trip(data: &[u8]) {
    let mut dice = Dice::of(data);
    for from in DIALECTS {
        for to in DIALECTS.into_iter().filter(|to| *to != from) {
            if let ((Some(caller), _), (_, Some(upstream))) = (sides(from), sides(to)) {
                document::request(caller, (to, upstream), &mut dice, data);
            }
            if let ((_, Some(upstream)), (Some(caller), _)) = (sides(from), sides(to)) {
                document::answer(upstream, (to, caller), &mut dice, data);
                stream::translate(upstream, (to, caller), &mut dice, data);
            }
        }
    }
    for to in DIALECTS {
        if let (Some(caller), _) = sides(to) {
            events::any_order((to, caller), &mut dice, data);
        }
    }
}

/// Changes an input: every second time as what it is, else as the fuzzer sees fit.
///
/// The contract is that of [`libfuzzer_sys::fuzz_mutator`]: the size of `data` that is used, and that may be.
pub fn mutate(data: &mut [u8], size: usize, most: usize, seed: u32) -> usize {
    let as_it_is = seed
        .is_multiple_of(2)
        .then(|| mutate::mutate(&mut data[..most], size, seed));
    as_it_is
        .flatten()
        .unwrap_or_else(|| libfuzzer_sys::fuzzer_mutate(data, size, most))
}

type Sides = (
    Option<&'static dyn CallerCodec>,
    Option<&'static dyn UpstreamCodec>,
);

fn sides(dialect: Dialect) -> Sides {
    (caller_codec(dialect), upstream_codec(dialect))
}

fn context(dice: &mut Dice) -> WriteContext<'static> {
    WriteContext {
        model: "caller's \"model\"",
        created: 1_760_000_000,
        request_id: "req-1",
        include_usage: dice.roll(2) == 0,
        request: b"{}",
    }
}

/// Is what is written JSON? Tells with a parser that shares nothing with the one under test.
fn assert_json(text: &[u8]) {
    if let Err(error) = serde_json::from_slice::<serde_json::Value>(text) {
        // What the reader took, like numbers beyond any float, may go out again.
        let grammar = serde_json::from_slice::<serde::de::IgnoredAny>(text);
        assert!(
            grammar.is_ok(),
            "{error}: {}",
            String::from_utf8_lossy(text)
        );
        assert!(std::str::from_utf8(text).is_ok());
    }
}

/// What a case needs to choose, the same for the same input.
struct Dice(u64);

impl Dice {
    fn of(data: &[u8]) -> Self {
        let hash = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        Self(data.iter().fold(0xcbf2_9ce4_8422_2325, hash) | 1)
    }

    /// A number below `sides`, which is not 0.
    fn roll(&mut self, sides: usize) -> usize {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }
}
