//! The scripts that run in Redis, and what they are told.

use std::time::Duration;

use aisix_core::limit::{Level, Limit, Rate, Settlement, Standing};
use redis::{Script, ScriptInvocation};

/// Lua counts whole numbers up to here. Nobody reaches it.
const MOST: u64 = 1 << 52;

/// The scripts, with what they are the same for all calls.
pub(super) struct Scripts {
    acquire: Script,
    look: Script,
    settle: Script,
    prefix: String,
    slot_ttl: Duration,
}

/// What a script says about a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was taken.
    Taken(Vec<Standing>),
    /// The rate had no room; the seconds until its window ends, for all but slots.
    Full(Rate, Option<u64>),
    /// The answer makes no sense.
    Odd,
}

// === impl Scripts ===

impl Scripts {
    pub(super) fn new(prefix: &str, slot_ttl: Duration) -> Self {
        Self {
            acquire: Script::new(concat!(
                include_str!("state.lua"),
                include_str!("acquire.lua")
            )),
            look: Script::new(concat!(include_str!("state.lua"), include_str!("look.lua"))),
            settle: Script::new(include_str!("settle.lua")),
            prefix: escape(prefix),
            slot_ttl,
        }
    }

    /// Takes a call under one limit. The answer is read by [`Answer::read`].
    pub(super) fn acquire(&self, limit: &Limit, call: &str, tokens: u64) -> ScriptInvocation<'_> {
        self.about(&self.acquire, limit, call, tokens)
    }

    /// Looks at one limit. The answer is read by [`levels`].
    pub(super) fn look(&self, limit: &Limit, tokens: u64) -> ScriptInvocation<'_> {
        self.about(&self.look, limit, "", tokens)
    }

    fn about<'s>(
        &self,
        script: &'s Script,
        limit: &Limit,
        call: &str,
        tokens: u64,
    ) -> ScriptInvocation<'s> {
        let mut script = script.prepare_invoke();
        self.keys(&mut script, limit.key());
        let ttl = u64::try_from(self.slot_ttl.as_millis()).unwrap_or(MOST);
        script.arg(call).arg(ttl.min(MOST)).arg(tokens.min(MOST));
        script.arg(self.kept(limit.rates()));
        for &(rate, max) in limit.rates() {
            script.arg(rate.name()).arg(width(rate)).arg(max.min(MOST));
        }
        script
    }

    /// Ends a call under one limit.
    pub(super) fn settle(
        &self,
        limit: &Limit,
        call: &str,
        settlement: Settlement,
    ) -> ScriptInvocation<'_> {
        let mut script = self.settle.prepare_invoke();
        self.keys(&mut script, limit.key());
        script.arg(call);
        match settlement {
            Settlement::Unused => script.arg(""),
            Settlement::Used(tokens) => script.arg(tokens.min(MOST)),
        };
        script.arg(self.kept(limit.rates()));
        for &(rate, _) in limit.rates() {
            script.arg(rate.name()).arg(width(rate));
        }
        script
    }

    /// Takes and ends a call under no limit at all: shows that scripts can write there. Keys of different places are in
    /// different slots.
    pub(super) fn probe(&self, call: &str, place: usize) -> [ScriptInvocation<'_>; 2] {
        let key = format!("probe:{call}:{place}");
        let mut taken = self.acquire.prepare_invoke();
        self.keys(&mut taken, &key);
        taken.arg(call).arg(1_000).arg(0).arg(5);
        let mut ended = self.settle.prepare_invoke();
        self.keys(&mut ended, &key);
        ended.arg(call).arg("").arg(5);
        [taken, ended]
    }

    /// Both in one slot of a cluster, by their tag.
    fn keys(&self, script: &mut ScriptInvocation<'_>, key: &str) {
        let (prefix, key) = (&self.prefix, escape(key));
        script.key(format!("{prefix}:{{{key}}}:counts"));
        script.key(format!("{prefix}:{{{key}}}:open"));
    }

    /// How long keys are kept in seconds: as long as the longest window or a slot, and a little longer.
    fn kept(&self, rates: &[(Rate, u64)]) -> u64 {
        let widest = rates.iter().map(|&(rate, _)| width(rate)).max();
        widest.unwrap_or(0).max(self.slot_ttl.as_secs()) + 5
    }
}

// === impl Answer ===

impl Answer {
    /// Reads what the script says about this limit.
    pub(super) fn read(limit: &Limit, numbers: &[u64]) -> Self {
        let rates = limit.rates();
        match numbers {
            [0, index, left] => {
                let full = usize::try_from(*index).ok().and_then(|at| rates.get(at));
                full.map_or(Self::Odd, |&(rate, _)| {
                    Self::Full(rate, rate.window().map(|_| *left))
                })
            }
            [1, told @ ..] if told.len() == 2 * rates.len() => {
                let pairs = told.chunks_exact(2).zip(rates);
                let standing = |(pair, &(rate, limit)): (&[u64], &(Rate, u64))| Standing {
                    rate,
                    limit,
                    remaining: pair[0],
                    reset: pair[1],
                };
                Self::Taken(pairs.map(standing).collect())
            }
            _ => Self::Odd,
        }
    }
}

/// Reads what [`Scripts::look`] says about this limit; `None` when it makes no sense.
pub(super) fn levels(limit: &Limit, numbers: &[u64]) -> Option<Vec<Level>> {
    let (told, rest) = numbers.as_chunks::<4>();
    let rates = limit.rates();
    let level = |(told, &(rate, limit)): (&[u64; 4], &(Rate, u64))| {
        let &[used, reserved, reset, room] = told;
        Level {
            rate,
            limit,
            used,
            reserved,
            reset,
            has_room: room == 1,
        }
    };
    let is_whole = told.len() == rates.len() && rest.is_empty();
    is_whole.then(|| told.iter().zip(rates).map(level).collect())
}

fn width(rate: Rate) -> u64 {
    rate.window().unwrap_or(0)
}

/// Braces would move the tag by which a cluster finds the slot of a key.
fn escape(key: &str) -> String {
    key.replace('%', "%25")
        .replace('{', "%7B")
        .replace('}', "%7D")
}
