//! What the models of a journey say, whoever says it.

use crate::upstream::{Reply, Request, Script, Upstream};

/// One answer: thoughts, then text, then calls of tools. Each comes in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    pub(super) thoughts: &'static [&'static str],
    pub(super) text: &'static [&'static str],
    pub(super) calls: &'static [Call],
}

/// A call of a tool: its id where the provider gives ids, its name, and the pieces of its arguments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call(
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) &'static [&'static str],
);

/// The pieces of the text that most models say.
pub(super) const TEXT: &[&str] = &["Hel", "lo ", "wörld"];

const WEATHER: Call = Call("call_1", "weather", &["{\"ci", "ty\":\"Par", "is\"}"]);
const TIME: Call = Call("call_2", "time", &["{\"zone\":", "\"CET\"}"]);

const THINKING: Said = Said {
    thoughts: &["Let me ", "think."],
    ..Said::text(TEXT)
};

/// A word in what the tool `weather` of every script results in.
const RESULT: &[u8] = b"blue";

/// The models that answer, and what they say.
const SAID: [(&str, Said); 5] = [
    ("text", Said::text(TEXT)),
    ("thinking", THINKING),
    ("tool", Said::calls(&[WEATHER])),
    ("two-tools", Said::calls(&[WEATHER, TIME])),
    (
        "structured",
        Said::text(&["{\"name\":\"Ada\",", "\"age\":36}"]),
    ),
];

/// Scripts the models that answer; `reply` makes what is said into the provider's words. The model `loop`
/// calls both tools until the request brings a result of one. Each is known by its name after `gemini-3-` too.
pub(super) fn say(upstream: &Upstream, reply: fn(&Said, &Request) -> Reply) {
    let on = |model: &str, script: Script| {
        upstream.on(model, script.clone());
        upstream.on(&format!("gemini-3-{model}"), script);
    };
    for (model, said) in SAID {
        on(model, Script::new(move |request| reply(&said, request)));
    }
    let (asking, done) = (Said::calls(&[WEATHER, TIME]), Said::text(TEXT));
    let script = move |request: &Request| {
        let answered = request
            .body
            .windows(RESULT.len())
            .any(|window| window == RESULT);
        reply(if answered { &done } else { &asking }, request)
    };
    on("loop", Script::new(script));
}

impl Said {
    const fn text(text: &'static [&'static str]) -> Self {
        Self {
            thoughts: &[],
            text,
            calls: &[],
        }
    }

    const fn calls(calls: &'static [Call]) -> Self {
        Self {
            thoughts: &[],
            text: &[],
            calls,
        }
    }
}
