//! What a process uses, read from `/proc`: CPU time and memory, its own children included.

use anyhow::{Context, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Length of a tick in `/proc/<pid>/stat`; Linux shows user space 100 a second on every architecture in use.
const TICK: Duration = Duration::from_millis(10);

/// CPU time by thread, where the kernel counts it in nanoseconds, otherwise by process.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    spent: BTreeMap<PathBuf, Duration>,
}

/// Memory, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Memory {
    /// Resident now (`VmRSS`).
    pub(crate) resident: u64,
    /// The most that was ever resident (`VmHWM`).
    pub(crate) peak: u64,
}

impl Usage {
    /// Reads the CPU time spent so far by a process and all its descendants.
    pub(crate) fn read(id: u32) -> Result<Self> {
        let mut spent = BTreeMap::new();
        for id in family(id)? {
            let root = PathBuf::from(format!("/proc/{id}"));
            if !root.join("schedstat").exists() {
                let text = read(&root.join("stat"))?;
                let fields = Stat::parse(&text).context("unreadable stat")?;
                spent.insert(root, fields.spent);
                continue;
            }
            for thread in std::fs::read_dir(root.join("task"))? {
                let path = thread?.path();
                // A thread may end between the listing and the reading.
                if let Ok(text) = read(&path.join("schedstat")) {
                    spent.insert(path, schedstat(&text).context("unreadable schedstat")?);
                }
            }
        }
        Ok(Self { spent })
    }

    /// The time spent since an earlier reading; what a thread that has ended since has spent is not known.
    pub(crate) fn since(&self, earlier: &Self) -> Duration {
        let spent = self.spent.iter().map(|(thread, now)| {
            let before = earlier.spent.get(thread).copied().unwrap_or_default();
            now.saturating_sub(before)
        });
        spent.sum()
    }
}

impl Memory {
    /// Reads the memory of a process and all its descendants, added up.
    pub(crate) fn read(id: u32) -> Result<Self> {
        let mut sum = Self::default();
        for id in family(id)? {
            let text = read(&PathBuf::from(format!("/proc/{id}/status")))?;
            let one = Self::parse(&text).context("unreadable status")?;
            sum.resident += one.resident;
            sum.peak += one.peak;
        }
        Ok(sum)
    }

    fn parse(status: &str) -> Option<Self> {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix(" kB")?.parse().ok()
        };
        Some(Self {
            resident: field("VmRSS:")?,
            peak: field("VmHWM:")?,
        })
    }
}

/// The fields of `/proc/<pid>/stat` that are of use here.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    spent: Duration,
}

impl Stat {
    /// Reads a line; the name before the last `)` may contain anything.
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.rsplit_once(')')?.1.split_ascii_whitespace();
        let parent = fields.nth(1)?.parse().ok()?;
        let user: u32 = fields.nth(9)?.parse().ok()?;
        let system: u32 = fields.next()?.parse().ok()?;
        let spent = TICK * user.checked_add(system)?;
        Some(Self { parent, spent })
    }
}

/// The nanoseconds on a core, the first field of `schedstat`.
fn schedstat(line: &str) -> Option<Duration> {
    let nanos = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

/// A process and all its descendants.
fn family(id: u32) -> Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Ok(child) = entry?.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        // A process may end between the listing and the reading.
        let text = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        if let Some(stat) = Stat::parse(&text) {
            parents.push((child, stat.parent));
        }
    }
    Ok(descendants(id, &parents))
}

/// A process and its descendants among pairs of child and parent.
fn descendants(id: u32, parents: &[(u32, u32)]) -> Vec<u32> {
    let mut found = vec![id];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        let children = parents.iter().filter(|(_, p)| *p == parent);
        found.extend(children.map(|(child, _)| *child));
        next += 1;
    }
    found
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_shift_the_fields() {
        let line = "77 (a) b (c) S 42 77 77 0 -1 4194560 100 0 0 0 7 5 1 1 20 0 1 0 85997 3133440";
        let expected = Stat {
            parent: 42,
            spent: Duration::from_millis(120),
        };
        assert_eq!(Stat::parse(line), Some(expected));
        assert_eq!(Stat::parse("77 (cut) S"), None);
    }

    #[test]
    fn schedstat_starts_with_nanoseconds() {
        let spent = schedstat("305343 12 3\n");
        assert_eq!(spent, Some(Duration::from_nanos(305_343)));
    }

    #[test]
    fn memory_is_read_in_kib() {
        let text = "Name:\tx\nVmHWM:\t   9000 kB\nVmRSS:\t   8192 kB\nThreads:\t1\n";
        let expected = Memory {
            resident: 8192,
            peak: 9000,
        };
        assert_eq!(Memory::parse(text), Some(expected));
        assert_eq!(Memory::parse("Name:\tx\n"), None);
    }

    #[test]
    fn a_worker_of_a_worker_is_of_the_family() {
        let parents = [(5, 4), (2, 1), (3, 2), (4, 1), (9, 8)];
        assert_eq!(descendants(1, &parents), [1, 2, 4, 3, 5]);
    }

    #[test]
    fn work_of_this_process_is_seen() {
        let id = std::process::id();
        let before = Usage::read(id).unwrap();
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_millis(60) {
            std::hint::spin_loop();
        }
        let spent = Usage::read(id).unwrap().since(&before);
        assert!(spent >= Duration::from_millis(5), "{spent:?}");
        assert!(Memory::read(id).unwrap().resident > 0);
    }
}
