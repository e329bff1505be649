//! Providers: how each is scripted to say what the table wants to hear.

use aisix_tests::upstream::{
    Answer, Candidate, Flavour, Framing, Message, Output, Reply, Script, Step, candidate, message,
};
use serde_json::{Value, json};

use crate::said::{Stop, Tokens};

/// Base64, as every signature must be.
pub(crate) const SIGNATURE: &str = "c2lnbmF0dXJl";

/// What a model is to say, in the pieces in which a stream says it.
#[derive(Clone, Debug)]
pub(crate) struct Speech {
    pub(crate) thoughts: &'static [&'static str],
    pub(crate) text: &'static [&'static str],
    /// Name and the pieces of the arguments.
    pub(crate) calls: &'static [(&'static str, &'static [&'static str])],
    pub(crate) stop: Stop,
    pub(crate) tokens: Tokens,
    /// After how many pieces of a text something happens.
    pub(crate) then: Option<(usize, Step)>,
}

/// Where the thoughts of a provider go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thoughts {
    /// Nobody sees them.
    Hidden,
    /// Shown, without a signature.
    Shown,
    /// Shown, and signed themselves.
    Signed,
    /// Shown; the calls that follow are signed.
    OnCalls,
    /// Not shown, but the calls that follow are signed.
    HiddenOnCalls,
}

/// One row of the table.
pub(crate) struct Provider {
    pub(crate) name: &'static str,
    pub(crate) flavour: Flavour,
    /// The model's name there, which decides what the gateway sends.
    pub(crate) model: &'static str,
    pub(crate) thoughts: Thoughts,
    pub(crate) script: fn(Speech) -> Script,
    /// Refuses with this status and message.
    pub(crate) refusal: fn(u16, &str) -> Reply,
}

pub(crate) const OPENAI: Provider = Provider {
    name: "openai",
    flavour: Flavour::OpenAi,
    model: "gpt-5",
    thoughts: Thoughts::Hidden,
    script: |speech| {
        Script::new(move |request| match request.path.ends_with("/responses") {
            true => output(&speech).reply_to(request),
            false => answer(&speech).reply_to(request),
        })
    },
    refusal: openai_refusal,
};

pub(crate) const DEEPSEEK: Provider = Provider {
    name: "deepseek",
    flavour: Flavour::DeepSeek,
    model: "deepseek-v4",
    thoughts: Thoughts::Shown,
    script: |speech| {
        let Tokens {
            input,
            cached,
            output,
        } = speech.tokens;
        let usage = json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
            "prompt_cache_hit_tokens": cached, "prompt_cache_miss_tokens": input - cached});
        answer(&speech)
            .reasoning(speech.thoughts)
            .report(usage)
            .into()
    },
    refusal: openai_refusal,
};

pub(crate) const ANTHROPIC: Provider = Provider {
    name: "anthropic",
    flavour: Flavour::Anthropic,
    model: "claude-sonnet-4-5",
    thoughts: Thoughts::Signed,
    script: |speech| message(&speech).into(),
    refusal: |status, text| message::refusal(status, anthropic_word(status), text),
};

pub(crate) const GEMINI: Provider = Provider {
    name: "gemini",
    flavour: Flavour::Gemini,
    model: "gemini-3-pro",
    thoughts: Thoughts::OnCalls,
    script: |speech| candidate(&speech).into(),
    refusal: google_refusal,
};

pub(crate) const FRONT: Provider = Provider {
    name: "front",
    flavour: Flavour::GeminiFront,
    model: "gemini-3-pro",
    thoughts: Thoughts::HiddenOnCalls,
    script: |speech| signed(&speech).into(),
    refusal: |status, text| google_refusal(status, text).in_array(),
};

/// A server that is nearly OpenAI: it shows thoughts, writes comments, and knows no `[DONE]`.
pub(crate) const COMPATIBLE: Provider = Provider {
    name: "compatible",
    flavour: Flavour::OpenAi,
    model: "house-7b",
    thoughts: Thoughts::Shown,
    script: |speech| {
        let framing = Framing {
            done: false,
            comments: 1,
            ..Framing::default()
        };
        answer(&speech)
            .reasoning(speech.thoughts)
            .framing(framing)
            .into()
    },
    refusal: openai_refusal,
};

// === impl Speech ===

impl Speech {
    pub(crate) fn text(text: &'static [&'static str]) -> Self {
        Self {
            thoughts: &[],
            text,
            calls: &[],
            stop: Stop::End,
            tokens: Tokens {
                input: 12,
                cached: 8,
                output: 3,
            },
            then: None,
        }
    }

    pub(crate) fn calling(calls: &'static [(&'static str, &'static [&'static str])]) -> Self {
        Self {
            calls,
            stop: Stop::Calls,
            ..Self::text(&[])
        }
    }

    pub(crate) fn thinking(mut self, thoughts: &'static [&'static str]) -> Self {
        self.thoughts = thoughts;
        self
    }

    pub(crate) fn stop(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    pub(crate) fn tokens(mut self, input: u64, cached: u64, output: u64) -> Self {
        self.tokens = Tokens {
            input,
            cached,
            output,
        };
        self
    }

    /// After so many pieces of the text, `step`.
    pub(crate) fn then(mut self, pieces: usize, step: Step) -> Self {
        self.then = Some((pieces, step));
        self
    }

    fn calls(&self) -> impl Iterator<Item = (String, &'static str, &'static [&'static str])> {
        let calls = self.calls.iter().enumerate();
        calls.map(|(index, (name, pieces))| (format!("call_{index}"), *name, *pieces))
    }
}

fn answer(speech: &Speech) -> Answer {
    let Tokens {
        input,
        cached,
        output,
    } = speech.tokens;
    let usage = json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
        "prompt_tokens_details": {"cached_tokens": cached}, "completion_tokens_details": {"reasoning_tokens": 0}});
    let answer = speech.calls().fold(
        Answer::text(speech.text.to_vec()),
        |answer, (id, name, pieces)| answer.and_calling(&id, name, pieces),
    );
    let answer = answer.report(usage).finish(match speech.stop {
        Stop::End => "stop",
        Stop::Length => "length",
        Stop::Calls => "tool_calls",
        Stop::Filtered => "content_filter",
    });
    match speech.then.clone() {
        // The first event holds the role.
        Some((pieces, step)) => answer.after(1 + pieces, step),
        None => answer,
    }
}

fn output(speech: &Speech) -> Output {
    let Tokens {
        input,
        cached,
        output,
    } = speech.tokens;
    let said = match speech.text {
        [] => Output::nothing(),
        text => Output::text(text),
    };
    let said = speech.calls().fold(said, |said, (id, name, pieces)| {
        said.and_calling(&id, name, pieces)
    });
    let said = said.usage(input, cached, output);
    let said = match speech.stop {
        Stop::End | Stop::Calls => said,
        Stop::Length => said.incomplete("max_output_tokens"),
        Stop::Filtered => said.incomplete("content_filter"),
    };
    match speech.then.clone() {
        // The first events tell of the response, the item and its part.
        Some((pieces, step)) => said.after(4 + pieces, step),
        None => said,
    }
}

/// The front's answer: calls come whole, and the first is signed.
fn signed(speech: &Speech) -> Answer {
    let plain = Speech {
        calls: &[],
        ..speech.clone()
    };
    speech
        .calls()
        .enumerate()
        .fold(answer(&plain), |answer, (index, (id, name, pieces))| {
            let answer = answer.and_calling(&id, name, &[&pieces.concat()]);
            if index == 0 {
                answer.signed(SIGNATURE)
            } else {
                answer
            }
        })
}

fn message(speech: &Speech) -> Message {
    let Tokens {
        input,
        cached,
        output,
    } = speech.tokens;
    let message = match speech.thoughts {
        [] if speech.text.is_empty() => Message::nothing(),
        [] => Message::text(speech.text),
        thoughts if speech.text.is_empty() => Message::thinking(thoughts, SIGNATURE),
        thoughts => Message::thinking(thoughts, SIGNATURE).and_text(speech.text),
    };
    let message = speech.calls().fold(message, |message, (id, name, pieces)| {
        message.and_calling(&id.replace("call", "toolu"), name, pieces)
    });
    let message = message
        .usage(input - cached, cached, output)
        .stop(match speech.stop {
            Stop::End => "end_turn",
            Stop::Length => "max_tokens",
            Stop::Calls => "tool_use",
            Stop::Filtered => "refusal",
        });
    match speech.then.clone() {
        // After message_start, ping and content_block_start.
        Some((pieces, step)) => message.after(3 + pieces, step),
        None => message,
    }
}

fn candidate(speech: &Speech) -> Candidate {
    let Tokens {
        input,
        cached,
        output,
    } = speech.tokens;
    let thoughts = if speech.thoughts.is_empty() { 0 } else { 1 };
    let said = Candidate::text(&[])
        .and_thinking(speech.thoughts)
        .and_text(speech.text);
    let said = speech
        .calls()
        .enumerate()
        .fold(said, |said, (index, (_, name, pieces))| {
            let args: Value = serde_json::from_str(&pieces.concat()).expect("arguments are JSON");
            said.and_calling(name, &args, (index == 0).then_some(SIGNATURE))
        });
    let said = said
        .usage(input, cached, output - thoughts, thoughts)
        .finish(match speech.stop {
            Stop::End | Stop::Calls => "STOP",
            Stop::Length => "MAX_TOKENS",
            Stop::Filtered => "SAFETY",
        });
    match speech.then.clone() {
        Some((pieces, step)) => said.after(pieces, step),
        None => said,
    }
}

fn openai_refusal(status: u16, text: &str) -> Reply {
    let reply = Reply::error(status, "some_error", Some("some_code"), text);
    match status {
        429 => reply.header("retry-after", "17"),
        _ => reply,
    }
}

fn google_refusal(status: u16, text: &str) -> Reply {
    let reason =
        json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"});
    match status {
        // A wrong key is a bad request here.
        401 => candidate::refusal(400, "INVALID_ARGUMENT", text, &[reason]),
        429 => candidate::refusal(
            429,
            "RESOURCE_EXHAUSTED",
            text,
            &[candidate::retry_info("17s")],
        ),
        403 => candidate::refusal(403, "PERMISSION_DENIED", text, &[]),
        404 => candidate::refusal(404, "NOT_FOUND", text, &[]),
        500 => candidate::refusal(500, "INTERNAL", text, &[]),
        529 => candidate::refusal(503, "UNAVAILABLE", text, &[]),
        other => candidate::refusal(other, "INVALID_ARGUMENT", text, &[]),
    }
}

fn anthropic_word(status: u16) -> &'static str {
    match status {
        400 => "invalid_request_error",
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        _ => "api_error",
    }
}
