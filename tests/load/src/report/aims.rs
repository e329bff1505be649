//! What the gateway aims at, and what it misses.

use super::{Figures, Resident};
use crate::subject::Kind;

/// The most the gateway may hold before its first call, in KiB.
const IDLE_LIMIT: u64 = 15 << 10;

/// The aims that are missed; a ratio that could not be formed, for want of the bare proxy, is missed too.
pub(super) fn missed(figures: &[Figures], resident: &[Resident]) -> Vec<String> {
    let mut missed = Vec::new();
    for own in figures.iter().filter(|f| f.subject == Kind::Aisix) {
        let (title, aim) = (own.scenario.title(), own.scenario.aim());
        match own.cpu_ratio {
            Some(ratio) if ratio <= aim => {}
            Some(ratio) => missed.push(format!("{title}: {ratio:.2} × bare, aim {aim}")),
            None => missed.push(format!("{title}: nothing to compare with, aim {aim}")),
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
