//! Fills the corpora from the fixtures of `aisix-wire`: every document, every object that is a member of one, and
//! every stream, for all targets, since each finds something else in them.

use std::fs;
use std::path::{Path, PathBuf};

const TARGETS: [&str; 7] = [
    "chat",
    "messages",
    "gemini",
    "responses",
    "envelope",
    "sse",
    "round_trip",
];

fn main() -> std::io::Result<()> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seeds = Vec::new();
    collect(&own.join("../../aisix-wire/tests/fixtures"), &mut seeds)?;
    for target in TARGETS {
        let corpus = own.join("corpus").join(target);
        fs::create_dir_all(&corpus)?;
        for (name, seed) in &seeds {
            fs::write(corpus.join(name), seed)?;
        }
    }
    Ok(())
}

fn collect(folder: &Path, seeds: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, seeds)?;
            continue;
        }
        let bytes = fs::read(&path)?;
        if let Ok(serde_json::Value::Object(members)) = serde_json::from_slice(&bytes) {
            for value in members.values().filter(|value| value.is_object()) {
                seeds.push((
                    format!("seed-{}", seeds.len()),
                    value.to_string().into_bytes(),
                ));
            }
        }
        seeds.push((format!("seed-{}", seeds.len()), bytes));
    }
    Ok(())
}
