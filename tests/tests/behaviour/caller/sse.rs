//! Event streams, as strictly as a client can read them.

use serde_json::Value;

/// One event that is not a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: Option<String>,
    pub(super) data: String,
}

/// All events of a stream, which ends after the blank line of the last.
pub(super) fn events(stream: &str) -> Result<Vec<Event>, String> {
    let stream = stream.replace("\r\n", "\n");
    super::ensure(stream.ends_with("\n\n"), || {
        format!("ends within an event: {stream}")
    })?;
    let mut events = Vec::new();
    for block in stream.split("\n\n").filter(|block| !block.is_empty()) {
        let (mut name, mut data) = (None, None);
        for line in block.lines().filter(|line| !line.starts_with(':')) {
            let (field, value) = line
                .split_once(':')
                .ok_or_else(|| format!("no field: {line}"))?;
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            let twice = match field {
                "event" => name.replace(value).is_some(),
                "data" => data.replace(value).is_some(),
                other => return Err(format!("an unknown field: {other}")),
            };
            super::ensure(!twice, || format!("{field} twice in one event: {block}"))?;
        }
        match (name, data) {
            (name, Some(data)) => events.push(Event { name, data }),
            (None, None) => {}
            (Some(name), None) => return Err(format!("an event without data: {name}")),
        }
    }
    Ok(events)
}

// === impl Event ===

impl Event {
    pub(super) fn json(&self) -> Result<Value, String> {
        serde_json::from_str(&self.data).map_err(|error| format!("{error}: {}", self.data))
    }
}
