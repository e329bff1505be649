//! What kind of client a `User-Agent` stands for.

use super::settings::ClientTypeRule;

/// How the agents of well-known clients begin, in lower case, and what they are called.
const KNOWN: &[(&str, &str)] = &[
    ("openai/python", "openai-python"),
    ("asyncopenai/python", "openai-python"),
    ("openai/js", "openai-node"),
    ("anthropic/python", "anthropic-python"),
    ("asyncanthropic/python", "anthropic-python"),
    ("anthropic/js", "anthropic-node"),
    ("claude-cli/", "claude-code"),
    ("codex", "codex"),
    ("gemini-cli", "gemini-cli"),
    ("cursor/", "cursor"),
    ("litellm/", "litellm"),
    ("langchain", "langchain"),
    ("python-requests/", "python-requests"),
    ("python-httpx/", "python-httpx"),
    ("axios/", "axios"),
    ("go-http-client/", "go"),
    ("okhttp/", "okhttp"),
    ("curl/", "curl"),
    ("postmanruntime/", "postman"),
    ("mozilla/", "browser"),
];
/// The agent's bytes that are looked at.
const MAX_AGENT: usize = 512;

/// Sorts clients into a fixed set of types.
pub(super) struct ClientTypes {
    rules: Vec<ClientTypeRule>,
}

/// A type of client: an index that [`ClientTypes::name`] turns into a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ClientType {
    Unknown,
    Other,
    Known(usize),
    Rule(usize),
}

// === impl ClientTypes ===

impl ClientTypes {
    pub(super) fn new(rules: Vec<ClientTypeRule>) -> Self {
        Self { rules }
    }

    pub(super) fn of(&self, agent: &[u8]) -> ClientType {
        let agent = String::from_utf8_lossy(&agent[..agent.len().min(MAX_AGENT)]);
        if agent.trim().is_empty() {
            return ClientType::Unknown;
        }
        if let Some(at) = self.rules.iter().position(|rule| rule.matches(&agent)) {
            return ClientType::Rule(at);
        }
        let agent = agent.to_ascii_lowercase();
        let known = KNOWN.iter().position(|(start, _)| agent.starts_with(start));
        known.map_or(ClientType::Other, ClientType::Known)
    }

    pub(super) fn name(&self, client: ClientType) -> &str {
        match client {
            ClientType::Unknown => "unknown",
            ClientType::Other => "other",
            ClientType::Known(at) => KNOWN[at].1,
            ClientType::Rule(at) => self.rules[at].client(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_come_first_and_strangers_are_others() {
        let rules = vec![ClientTypeRule::new("(?i)acme", "acme-bot").unwrap()];
        let types = ClientTypes::new(rules);
        let name = |agent: &str| types.name(types.of(agent.as_bytes())).to_owned();
        assert_eq!(name("OpenAI/Python 2.1.0"), "openai-python");
        assert_eq!(name("OpenAI/Python Acme"), "acme-bot");
        assert_eq!(name("x9f3"), "other");
        assert_eq!(name(""), "unknown");
        assert_eq!(types.of(&[0xff; 4_000]), ClientType::Other);
    }

    #[test]
    fn bad_rules_are_refused() {
        assert!(ClientTypeRule::new("(", "a").is_err());
        assert!(ClientTypeRule::new("a", "A").is_err());
        assert!(ClientTypeRule::new("a", "-a").is_err());
        assert!(ClientTypeRule::new("a", "").is_err());
        assert!(ClientTypeRule::new(&"a".repeat(513), "a").is_err());
    }
}
