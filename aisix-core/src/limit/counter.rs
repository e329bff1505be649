//! The counts of one limit.

use super::{Level, Limit, Rate, Standing};

/// Counts under one key. Time is passed in as seconds since the epoch.
#[derive(Clone, Debug, Default)]
pub(super) struct Counter {
    windows: [Window; 6],
    /// Tokens reserved by calls that are under way.
    reserved: u64,
    /// Calls that are under way.
    open: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    start: u64,
    used: u64,
}

/// What one call holds of a counter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    tokens: u64,
    /// A time within every window that counts the call.
    admitted: u64,
}

/// A rate without room, and the seconds until its window ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full(pub(super) Rate, pub(super) Option<u64>);

fn slot(rate: Rate) -> Option<(usize, u64)> {
    let index = match rate {
        Rate::Rps => 0,
        Rate::Rpm => 1,
        Rate::Rph => 2,
        Rate::Rpd => 3,
        Rate::Tpm => 4,
        Rate::Tpd => 5,
        Rate::Concurrency => return None,
    };
    Some((index, rate.window()?))
}

fn left(now: u64, width: u64) -> u64 {
    width - now % width
}

// === impl Window ===

impl Window {
    /// What is used in the window of `now`. A clock that steps back by less than a window does not
    /// open a new one.
    fn roll(&mut self, now: u64, width: u64) -> u64 {
        let start = now - now % width;
        if start > self.start || self.start - start > width {
            *self = Self { start, used: 0 };
        }
        self.used
    }
}

// === impl Counter ===

impl Counter {
    /// Whether `limit` has room for one more call of `tokens`. Counts nothing.
    pub(super) fn check(&mut self, limit: &Limit, tokens: u64, now: u64) -> Result<(), Full> {
        for &(rate, max) in limit.rates() {
            self.check_rate(rate, max, tokens, now)?;
        }
        Ok(())
    }

    fn check_rate(&mut self, rate: Rate, max: u64, tokens: u64, now: u64) -> Result<(), Full> {
        let Some((index, width)) = slot(rate) else {
            return match self.open >= max {
                true => Err(Full(rate, None)),
                false => Ok(()),
            };
        };
        let used = self.windows[index].roll(now, width);
        let full = match rate {
            // Alone, a call may cross the limit, so that one larger than the whole of it is
            // served in a fresh window. Beside others it must fit.
            Rate::Tpm | Rate::Tpd if self.open == 0 => used > max,
            Rate::Tpm | Rate::Tpd => {
                used.saturating_add(self.reserved).saturating_add(tokens) > max
            }
            _ => used >= max,
        };
        match full {
            true => Err(Full(rate, Some(left(now, width)))),
            false => Ok(()),
        }
    }

    /// Counts one more call. To be called after [`check`](Self::check), under the same lock.
    pub(super) fn take(&mut self, limit: &Limit, tokens: u64, now: u64) -> Share {
        let mut tokens = tokens;
        let mut admitted = now;
        for &(rate, max) in limit.rates() {
            let Some((index, width)) = slot(rate) else {
                continue;
            };
            let used = self.windows[index].roll(now, width);
            // Later than now, if the clock has stepped back.
            admitted = admitted.max(self.windows[index].start);
            match rate {
                Rate::Tpm | Rate::Tpd => {
                    tokens = tokens.min(max.saturating_sub(used).saturating_sub(self.reserved));
                }
                _ => self.windows[index].used += 1,
            }
        }
        self.reserved += tokens;
        self.open += 1;
        Share { tokens, admitted }
    }

    /// Ends a call that used `tokens`. They count in the window that is open now.
    pub(super) fn settle(&mut self, limit: &Limit, share: Share, tokens: u64, now: u64) {
        self.close(share);
        for &(rate, _) in limit.rates() {
            if let (Rate::Tpm | Rate::Tpd, Some((index, width))) = (rate, slot(rate)) {
                self.windows[index].roll(now, width);
                self.windows[index].used = self.windows[index].used.saturating_add(tokens);
            }
        }
    }

    /// Gives a call's share back, as if it had never come.
    pub(super) fn give_back(&mut self, limit: &Limit, share: Share) {
        self.close(share);
        for &(rate, _) in limit.rates() {
            if let (Rate::Rps | Rate::Rpm | Rate::Rph | Rate::Rpd, Some((index, width))) =
                (rate, slot(rate))
            {
                let window = &mut self.windows[index];
                if window.start == share.admitted - share.admitted % width {
                    window.used = window.used.saturating_sub(1);
                }
            }
        }
    }

    fn close(&mut self, share: Share) {
        self.reserved = self.reserved.saturating_sub(share.tokens);
        self.open = self.open.saturating_sub(1);
    }

    /// Where each rate of a limit stands.
    pub(super) fn standings(&mut self, limit: &Limit, now: u64) -> Vec<Standing> {
        let rates = limit.rates().iter();
        let standing = |&(rate, max): &(Rate, u64)| {
            let (used, reserved, reset) = self.level(rate, now);
            Standing {
                rate,
                limit: max,
                remaining: max.saturating_sub(used).saturating_sub(reserved),
                reset,
            }
        };
        rates.map(standing).collect()
    }

    /// How full each rate of a limit is, and whether it has room for one more call of `tokens`.
    pub(super) fn levels(&mut self, limit: &Limit, tokens: u64, now: u64) -> Vec<Level> {
        let rates = limit.rates().iter();
        let level = |&(rate, max): &(Rate, u64)| {
            let (used, reserved, reset) = self.level(rate, now);
            Level {
                rate,
                limit: max,
                used,
                reserved,
                reset,
                has_room: self.check_rate(rate, max, tokens, now).is_ok(),
            }
        };
        rates.map(level).collect()
    }

    /// What of a rate is used and what is reserved, and the seconds until its window ends.
    fn level(&mut self, rate: Rate, now: u64) -> (u64, u64, u64) {
        let Some((index, width)) = slot(rate) else {
            return (self.open, 0, 0);
        };
        let reserved = match rate {
            Rate::Tpm | Rate::Tpd => self.reserved,
            _ => 0,
        };
        let used = self.windows[index].roll(now, width);
        (used, reserved, left(now, width))
    }

    /// Whether nothing would be lost if the counter were forgotten.
    pub(super) fn is_idle(&self, now: u64) -> bool {
        const WIDTHS: [u64; 6] = [1, 60, 3_600, 86_400, 60, 86_400];
        self.open == 0
            && self
                .windows
                .iter()
                .zip(WIDTHS)
                .all(|(window, width)| window.used == 0 || window.start + width <= now)
    }
}
