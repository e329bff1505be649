//! The `usage` object.

use crate::Usage;
use crate::json::{Object, Writer};

/// Reads it; `None` when it holds no count. Parts never exceed their whole.
pub(super) fn read(o: &Object<'_>) -> Option<Usage> {
    let (input, output) = (o.try_count("input_tokens"), o.try_count("output_tokens"));
    input.or(output)?;
    let (input, output) = (input.unwrap_or(0), output.unwrap_or(0));
    let detail = |outer: &str, name: &str| {
        let details = o.try_object(outer);
        details
            .and_then(|details| details.try_count(name))
            .unwrap_or(0)
    };
    let cache_read = detail("input_tokens_details", "cached_tokens").min(input);
    let cache_write = detail("input_tokens_details", "cache_write_tokens").min(input - cache_read);
    let reasoning = detail("output_tokens_details", "reasoning_tokens").min(output);
    Some(Usage {
        input: input - cache_read - cache_write,
        cache_read,
        cache_write,
        output: output - reasoning,
        reasoning,
    })
}

/// Writes it.
pub(super) fn write(w: &mut Writer<'_>, usage: &Usage) {
    w.object(|w| {
        w.name("input_tokens").number(usage.input_total());
        w.name("input_tokens_details").object(|w| {
            w.name("cached_tokens").number(usage.cache_read);
            w.name("cache_write_tokens").number(usage.cache_write);
        });
        w.name("output_tokens").number(usage.output_total());
        w.name("output_tokens_details").object(|w| {
            w.name("reasoning_tokens").number(usage.reasoning);
        });
        w.name("total_tokens").number(usage.total());
    });
}
