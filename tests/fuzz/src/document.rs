//! Requests and whole answers.

use aisix_wire::Dialect;
use aisix_wire::chat::{
    CallerCodec, LimitName, OnUnsupported, UpstreamCodec, WriteOptions, caller_codec,
    upstream_codec,
};
use aisix_wire::gemini::{Encoding, write_embed_request, write_embed_response};

use crate::{Dice, assert_json, context};

const MODELS: &[&str] = &[
    "m",
    "claude-3-5-haiku-latest",
    "claude-sonnet-4-5",
    "claude-sonnet-4-6",
    "claude-opus-5-5",
    "gemini-2.0-flash",
    "gemini-2.5-pro",
    "gemini-3.8-flash",
];

/// A request is read as one dialect and written as another, whose own reader takes it; then it stays as it is.
pub(crate) fn request(
    caller: &dyn CallerCodec,
    (to, upstream): (Dialect, &dyn UpstreamCodec),
    dice: &mut Dice,
    data: &[u8],
) {
    let Ok(mut request) = caller.read_request(data) else {
        return;
    };
    request.stream |= dice.roll(2) == 0;
    let policies = [
        OnUnsupported::Drop,
        OnUnsupported::RefuseShape,
        OnUnsupported::Refuse,
    ];
    let options = WriteOptions {
        on_unsupported: dice.choose(&policies),
        limit_name: dice.choose(&[LimitName::MaxTokens, LimitName::MaxCompletionTokens]),
        replay_thinking: dice.roll(2) == 0,
        ..WriteOptions::new(dice.choose(MODELS))
    };
    let Ok(written) = upstream.write_request(&request, &options) else {
        return;
    };
    assert_json(&written.body);
    let Some(own) = caller_codec(to) else { return };
    let mut body = written.body.clone();
    let mut again = || {
        let mut read = own.read_request(&body).unwrap_or_else(|invalid| {
            panic!(
                "{to:?} does not read its own request: {invalid:?}\n{}",
                lossy(&body)
            )
        });
        // Some dialects say it in the path.
        read.stream = request.stream;
        let written = upstream
            .write_request(&read, &options)
            .unwrap_or_else(|invalid| {
                panic!(
                    "{to:?} does not write its own request: {invalid:?}\n{}",
                    lossy(&body)
                )
            });
        body = written.body;
        body.clone()
    };
    let (once, twice) = (again(), again());
    assert_eq!(
        lossy(&twice),
        lossy(&once),
        "{to:?} does not settle, {}",
        options.model
    );
    if request.dialect == to {
        assert_eq!(
            lossy(&once),
            lossy(&written.body),
            "{to:?} does not settle at once, {}",
            options.model
        );
    }
}

/// A whole answer, likewise; what its own reader has no place for, like images in a chat, is lost once.
pub(crate) fn answer(
    upstream: &dyn UpstreamCodec,
    (to, caller): (Dialect, &dyn CallerCodec),
    dice: &mut Dice,
    data: &[u8],
) {
    let Ok(response) = upstream.read_response(data) else {
        return;
    };
    let context = context(dice);
    let mut written = caller.write_response(&response, &context);
    assert_json(&written);
    let Some(own) = upstream_codec(to) else {
        return;
    };
    let mut again = || {
        let response = own.read_response(&written).unwrap_or_else(|error| {
            panic!(
                "{to:?} does not read its own answer: {error:?}\n{}",
                lossy(&written)
            )
        });
        written = caller.write_response(&response, &context);
        written.clone()
    };
    let (once, twice) = (again(), again());
    assert_eq!(lossy(&twice), lossy(&once), "{to:?} does not settle");
}

/// Embeddings are asked for in one dialect and answered in the other.
pub fn embeddings(data: &[u8]) {
    for policy in [OnUnsupported::Drop, OnUnsupported::Refuse] {
        if let Ok(request) = write_embed_request(data, "gemini-embedding-001", policy) {
            assert_json(&request.body);
        }
    }
    for encoding in [Encoding::Float, Encoding::Base64] {
        if let Ok(response) = write_embed_response(data, "m", encoding) {
            assert_json(&response.body);
        }
    }
}

fn lossy(text: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(text)
}
