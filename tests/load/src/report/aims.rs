//! What the gateway aims at, and what it misses.

use super::{Figures, Resident, Translation};
use crate::subject::Kind;

/// The most a translated answer may cost, as a multiple of one that is passed on.
const TRANSLATED: f64 = 1.5;

/// The most an event of a translated stream may cost beyond one that is passed on, in microseconds.
const PER_EVENT: f64 = 2.0;

/// The most the gateway may hold before its first call, in KiB.
const IDLE_LIMIT: u64 = 15 << 10;

/// The aims that are missed; a ratio that could not be formed, for want of the bare proxy, is missed too.
pub(super) fn missed(
    figures: &[Figures],
    translations: &[Translation],
    resident: &[Resident],
) -> Vec<String> {
    let mut missed = Vec::new();
    for own in figures.iter().filter(|f| f.subject == Kind::Aisix) {
        let title = own.scenario.title();
        let Some(aim) = own.scenario.aim() else {
            continue;
        };
        match own.cpu_ratio {
            Some(ratio) if ratio <= aim => {}
            Some(ratio) => missed.push(format!("{title}: {ratio:.2} × bare, aim {aim}")),
            None => missed.push(format!("{title}: nothing to compare with, aim {aim}")),
        }
    }
    for own in translations {
        let title = own.scenario.title();
        match own.per_event_us {
            Some(more) if more > PER_EVENT => {
                missed.push(format!(
                    "{title}: {more:.2} µs more per event, aim {PER_EVENT}"
                ));
            }
            None if own.ratio > TRANSLATED => {
                missed.push(format!(
                    "{title}: {:.2} × verbatim, aim {TRANSLATED}",
                    own.ratio
                ));
            }
            _ => {}
        }
    }
    let own = |r: &&Resident| r.subject == Kind::Aisix;
    if let Some(memory) = resident.iter().find(own)
        && memory.idle_kib >= IDLE_LIMIT
    {
        let idle = super::mib(memory.idle_kib);
        missed.push(format!("idle memory: {idle} MiB, aim under 15"));
    }
    missed
}
