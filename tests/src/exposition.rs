//! The text of a metrics listener, read as strictly as Prometheus' text format is defined.

use std::collections::{BTreeMap, HashMap, HashSet};

/// All samples of a scrape.
#[derive(Debug)]
pub struct Exposition {
    kinds: HashMap<String, String>,
    samples: Vec<Sample>,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The name, with any `_sum`, `_count` or `_bucket`.
    pub name: String,
    /// The labels by name.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

impl Exposition {
    /// Reads a scrape. Panics at the first line that is not valid, a sample of no declared family, a
    /// series that comes twice and a counter below 0.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line is not ended");
        let mut kinds = HashMap::new();
        let mut samples = Vec::new();
        let mut series = HashSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap_or_else(|| bad(line));
                assert!(is_name(name), "{line}");
                let known = ["counter", "gauge", "histogram", "summary", "untyped"];
                assert!(known.contains(&kind), "{line}");
                let twice = kinds.insert(name.to_owned(), kind.to_owned());
                assert_eq!(twice, None, "declared twice: {line}");
            } else if !line.starts_with('#') {
                let sample = Sample::parse(line);
                let kind = kinds.get(family(&sample.name, &kinds));
                let kind = kind.unwrap_or_else(|| panic!("of no family: {line}"));
                assert!(kind != "counter" || sample.value >= 0.0, "{line}");
                let id = (sample.name.clone(), sample.labels.clone());
                assert!(series.insert(id), "twice: {line}");
                samples.push(sample);
            }
        }
        Self { kinds, samples }
    }

    /// The type of a family, if it is declared.
    #[must_use]
    pub fn kind(&self, family: &str) -> Option<&str> {
        self.kinds.get(family).map(String::as_str)
    }

    /// The samples of this name.
    pub fn samples<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples
            .iter()
            .filter(move |sample| sample.name == name)
    }

    /// The sum over the samples of this name that have these labels.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let meant = |sample: &&Sample| {
            let has =
                |(name, value): &(&str, &str)| sample.labels.get(*name).is_some_and(|v| v == value);
            labels.iter().all(has)
        };
        self.samples(name)
            .filter(meant)
            .map(|sample| sample.value)
            .sum()
    }
}

impl Sample {
    fn parse(line: &str) -> Self {
        let end = line.find(['{', ' ']).unwrap_or_else(|| bad(line));
        let (name, mut rest) = line.split_at(end);
        assert!(is_name(name), "{line}");
        let mut labels = BTreeMap::new();
        if let Some(inside) = rest.strip_prefix('{') {
            rest = inside;
            while !rest.starts_with('}') {
                let (label, after) = rest.split_once("=\"").unwrap_or_else(|| bad(line));
                assert!(is_name(label) && !label.contains(':'), "{line}");
                let (value, after) = quoted(after).unwrap_or_else(|| bad(line));
                assert_eq!(labels.insert(label.to_owned(), value), None, "{line}");
                rest = after.strip_prefix(',').unwrap_or(after);
                assert!(after.starts_with([',', '}']), "{line}");
            }
            rest = &rest[1..];
        }
        let value = rest.trim().replace("Inf", "inf").parse();
        Self {
            name: name.to_owned(),
            labels,
            value: value.unwrap_or_else(|_| bad(line)),
        }
    }
}

/// A label's value up to its closing quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                _ => return None,
            }),
            letter => value.push(letter),
        }
    }
    None
}

/// The family that a sample belongs to.
fn family<'a>(name: &'a str, kinds: &HashMap<String, String>) -> &'a str {
    let parts = ["_bucket", "_sum", "_count"];
    let part = parts.iter().find_map(|part| name.strip_suffix(part));
    part.filter(|base| {
        matches!(
            kinds.get(*base).map(String::as_str),
            Some("histogram" | "summary")
        )
    })
    .unwrap_or(name)
}

fn is_name(text: &str) -> bool {
    let first = text.bytes().next();
    first.is_some_and(|byte| !byte.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_:".contains(&byte))
}

fn bad<T>(line: &str) -> T {
    panic!("not a line of the text format: {line}")
}
