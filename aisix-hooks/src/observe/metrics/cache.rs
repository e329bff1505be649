//! What caches have noted.

use super::families::Families;

type Mark = (&'static str, String);

/// Counts what caches have noted in the record of a call: for each of them first its name, then the rest.
pub(super) fn count(families: &Families, marks: &[Mark]) {
    for (at, (name, policy)) in marks.iter().enumerate() {
        if *name == "cache_policy" {
            let outcome = outcome(&marks[at + 1..]);
            families.cache.get(&[policy, outcome]).add(1);
        }
    }
}

/// The outcome that stands in the marks of a cache, which end where the next one begins.
fn outcome(marks: &[Mark]) -> &'static str {
    let mut status = "";
    for (name, value) in marks {
        match *name {
            "cache_policy" => break,
            "cache_status" => status = value,
            "cache_hit_layer" if value == "semantic" => return "hit_semantic",
            "cache_coalesced" => return "coalesced",
            _ => {}
        }
    }
    match status {
        "hit" => "hit_exact",
        "bypass" => "bypass",
        "disabled" => "disabled",
        _ => "miss",
    }
}
