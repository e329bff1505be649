//! Rules that rewrite the paths of requests.

use regex::Regex;

use super::block::Block;

/// A rule of `proxy.url_rewrites`.
#[derive(Clone, Debug)]
pub(crate) struct UrlRewrite {
    /// `name`: what the rule is called in the log. Default: nothing.
    pub(crate) name: Option<String>,
    /// `match`: what the raw path must match, at any place; it does not match an empty text.
    pub(crate) pattern: Regex,
    /// `rewrite`: what takes the place of the match; `$1` and `${name}` are groups of it.
    pub(crate) rewrite: String,
}

/// Reads the rules.
pub(super) fn read(block: &mut Block<'_>, name: &'static str) -> Vec<UrlRewrite> {
    let rules = block.blocks(name);
    rules.into_iter().filter_map(rule).collect()
}

fn rule(mut block: Block<'_>) -> Option<UrlRewrite> {
    let name = block.find("name");
    let pattern = block.require::<String>("match").and_then(|pattern| {
        Regex::new(&pattern)
            .map_err(|_| block.error("match", "must be a regular expression"))
            .ok()
    });
    if pattern.as_ref().is_some_and(|pattern| pattern.is_match("")) {
        block.error("match", "must not match an empty text");
    }
    let rewrite = block.require::<String>("rewrite");
    if rewrite
        .as_ref()
        .is_some_and(|text| text.contains(['?', '#', ' ']))
    {
        block.error("rewrite", "must not hold `?`, `#` or a space");
    }
    if let (Some(pattern), Some(rewrite)) = (&pattern, &rewrite)
        && let Some(message) = unknown_group(pattern, rewrite)
    {
        block.error("rewrite", message);
    }
    block.finish();
    Some(UrlRewrite {
        name,
        pattern: pattern?,
        rewrite: rewrite?,
    })
}

/// A complaint about a group that the pattern does not have: it would silently be empty.
fn unknown_group(pattern: &Regex, rewrite: &str) -> Option<String> {
    // `$name` takes all letters that follow, as `Regex::replace` does.
    let references = Regex::new(r"\$(?:\$|\{([^}]*)\}|([0-9A-Za-z_]+))").expect("a constant");
    for reference in references.captures_iter(rewrite) {
        let Some(name) = reference.get(1).or_else(|| reference.get(2)) else {
            continue;
        };
        let name = name.as_str();
        let exists = match name.parse::<usize>() {
            Ok(number) => number < pattern.captures_len(),
            Err(_) => pattern.capture_names().flatten().any(|known| known == name),
        };
        if !exists {
            return Some(format!(
                "names the group `{name}`, which `match` does not have"
            ));
        }
    }
    None
}

// === impl UrlRewrite ===

impl UrlRewrite {
    /// The path as the first rule that matches rewrites it, or `None` when no rule matches. The path
    /// has no query.
    pub(crate) fn apply(rules: &[Self], path: &str) -> Option<String> {
        let rule = rules.iter().find(|rule| rule.pattern.is_match(path))?;
        tracing::debug!(rule = rule.name.as_deref(), "path rewritten");
        let path = rule.pattern.replace(path, rule.rewrite.as_str());
        Some(path.into_owned())
    }
}
