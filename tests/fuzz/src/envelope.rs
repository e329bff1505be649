//! The scan of a document, and edits.

use aisix_wire::{Edits, Envelope, ScanErrorKind};
use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::Value;

/// The scan takes what other parsers take, and edits do to a document what they say.
pub fn envelope(data: &[u8]) {
    let text = std::str::from_utf8(data).ok();
    // One that looks at numbers and surrogates too, and one that knows the grammar only.
    let narrow = text.is_some_and(|text| serde_json::from_str::<Value>(text).is_ok());
    let wide = text.is_some_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    match Envelope::scan(data, &[]) {
        Ok(envelope) => {
            assert!(wide, "the scan took what is no JSON");
            splice(&Bytes::copy_from_slice(data), &envelope);
        }
        Err(error) => {
            let broken = matches!(error.kind, ScanErrorKind::Syntax | ScanErrorKind::Utf8);
            assert!(!(broken && narrow), "{error:?}");
        }
    }
}

fn splice(body: &Bytes, envelope: &Envelope) {
    let mut edits = Edits::new();
    assert_eq!(edits.apply(body, envelope), body);
    edits.set("model", "\"edited\"");
    edits.set_default("seed", "7");
    edits.remove("temperature");
    edits.rename("max_tokens", "max_completion_tokens");
    edits.set_in("stream_options", "include_usage", "true");
    let out = edits.apply(body, envelope);
    let Ok(edited) = Envelope::scan(&out, &[]) else {
        // Only what is added may be too much.
        let error = Envelope::scan(&out, &[]).expect_err("it failed before");
        assert_eq!(
            error.kind,
            ScanErrorKind::TooManyMembers,
            "{}",
            String::from_utf8_lossy(&out)
        );
        return;
    };
    let raw = |name| edited.member(&out, name).map(|member| member.raw(&out));
    assert_eq!(raw("model"), Some(&b"\"edited\""[..]));
    assert_eq!(raw("temperature"), None);
    assert!(raw("seed").is_some());
    let touched = [
        "model",
        "seed",
        "temperature",
        "max_tokens",
        "max_completion_tokens",
        "stream_options",
    ];
    let kept = |bytes: &Bytes, envelope: &Envelope| -> Vec<(Vec<u8>, Vec<u8>)> {
        let members = envelope.members().iter();
        let others =
            members.filter(|member| !touched.iter().any(|name| member.is_named(bytes, name)));
        others
            .map(|member| {
                (
                    bytes[member.name.clone()].to_vec(),
                    member.raw(bytes).to_vec(),
                )
            })
            .collect()
    };
    assert_eq!(kept(&out, &edited), kept(body, envelope));
    assert_eq!(edits.apply(&out, &edited), out, "edits settle at once");
}
