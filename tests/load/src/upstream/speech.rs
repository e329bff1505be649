//! What an upstream says, in each dialect, its bytes fixed at compile time.

use super::ask::Stream;

const CHAT: &[u8] = br#"{"id":"chatcmpl-load","object":"chat.completion","created":1700000000,"model":"chat","choices":[{"index":0,"message":{"role":"assistant","content":"The quick brown fox jumps over the lazy dog.","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":220,"completion_tokens":10,"total_tokens":230},"system_fingerprint":"fp_load"}"#;
const FIRST: &[u8] = b"data: {\"id\":\"chatcmpl-load\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"stream\",\"system_fingerprint\":\"fp_load\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
const MIDDLE: &[u8] = b"data: {\"id\":\"chatcmpl-load\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"stream\",\"system_fingerprint\":\"fp_load\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
const LAST: &[u8] = b"data: {\"id\":\"chatcmpl-load\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"stream\",\"system_fingerprint\":\"fp_load\",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &[u8] = b"data: {\"id\":\"chatcmpl-load\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"stream\",\"system_fingerprint\":\"fp_load\",\"choices\":[],\"usage\":{\"prompt_tokens\":220,\"completion_tokens\":200,\"total_tokens\":420}}\n\n";
const DONE: &[u8] = b"data: [DONE]\n\n";

const MESSAGE: &[u8] = br#"{"id":"msg_load","type":"message","role":"assistant","model":"chat","content":[{"type":"text","text":"The quick brown fox jumps over the lazy dog."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":220,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":10}}"#;
const MESSAGE_HEAD: [&[u8]; 2] = [
    b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_load\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"stream\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":220,\"output_tokens\":1}}}\n\n",
    b"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
];
const MESSAGE_DELTA: &[u8] = b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" token\"}}\n\n";
const MESSAGE_TAIL: [&[u8]; 3] = [
    b"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    b"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":200}}\n\n",
    b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
];

const CONTENT: &[u8] = br#"{"candidates":[{"content":{"parts":[{"text":"The quick brown fox jumps over the lazy dog."}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":220,"candidatesTokenCount":10,"totalTokenCount":230},"modelVersion":"chat","responseId":"load"}"#;
const CONTENT_MIDDLE: &[u8] = b"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\" token\"}],\"role\":\"model\"},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":220,\"candidatesTokenCount\":100,\"totalTokenCount\":320},\"modelVersion\":\"stream\",\"responseId\":\"load\"}\r\n\r\n";
const CONTENT_LAST: &[u8] = b"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":220,\"candidatesTokenCount\":200,\"totalTokenCount\":420},\"modelVersion\":\"stream\",\"responseId\":\"load\"}\r\n\r\n";

/// The dialect of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speech {
    /// OpenAI's Chat Completions.
    OpenAi,
    /// Anthropic's Messages.
    Anthropic,
    /// Gemini's `generateContent`.
    Gemini,
}

impl Speech {
    /// The dialect that is spoken at a path.
    pub(crate) fn at(path: &str) -> Option<Self> {
        if path.ends_with("/chat/completions") {
            Some(Self::OpenAi)
        } else if path.ends_with("/messages") {
            Some(Self::Anthropic)
        } else {
            model_in(path).map(|_| Self::Gemini)
        }
    }

    /// The small answer.
    pub(crate) fn answer(self) -> &'static [u8] {
        match self {
            Self::OpenAi => CHAT,
            Self::Anthropic => MESSAGE,
            Self::Gemini => CONTENT,
        }
    }

    /// The event of a stream at a position, `None` after the end.
    pub(crate) fn event(self, stream: &Stream, at: usize) -> Option<&'static [u8]> {
        let Stream { chunks, usage, .. } = *stream;
        match self {
            Self::OpenAi => match at {
                _ if at < chunks => Some(match at {
                    0 => FIRST,
                    _ if at + 1 == chunks => LAST,
                    _ => MIDDLE,
                }),
                _ if at == chunks && usage => Some(USAGE),
                _ if at == chunks + usize::from(usage) => Some(DONE),
                _ => None,
            },
            Self::Anthropic => match MESSAGE_HEAD.get(at) {
                Some(event) => Some(event),
                None if at < MESSAGE_HEAD.len() + chunks => Some(MESSAGE_DELTA),
                None => MESSAGE_TAIL.get(at - MESSAGE_HEAD.len() - chunks).copied(),
            },
            Self::Gemini => match at.cmp(&chunks) {
                std::cmp::Ordering::Less => Some(CONTENT_MIDDLE),
                std::cmp::Ordering::Equal => Some(CONTENT_LAST),
                std::cmp::Ordering::Greater => None,
            },
        }
    }
}

/// The model that a path names, as Gemini's do.
pub(crate) fn model_in(path: &str) -> Option<&str> {
    let (_, name) = path.rsplit_once("/models/")?;
    let (model, method) = name.split_once(':')?;
    matches!(method, "generateContent" | "streamGenerateContent").then_some(model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_event_but_done_is_json_and_a_stream_has_its_chunks() {
        let stream = Stream {
            chunks: 5,
            gap: Duration::ZERO,
            usage: true,
        };
        for (speech, count) in [
            (Speech::OpenAi, 7),
            (Speech::Anthropic, 10),
            (Speech::Gemini, 6),
        ] {
            let events: Vec<_> = (0..).map_while(|at| speech.event(&stream, at)).collect();
            assert_eq!(events.len(), count);
            for event in events.into_iter().filter(|event| *event != DONE) {
                let event = std::str::from_utf8(event).unwrap();
                let (_, data) = event.split_once("data: ").unwrap();
                serde_json::from_str::<serde_json::Value>(data).unwrap();
            }
            serde_json::from_slice::<serde_json::Value>(speech.answer()).unwrap();
        }
    }

    #[test]
    fn the_path_tells_the_dialect_and_sometimes_the_model() {
        let path = "/v1beta/models/stream-2-0:streamGenerateContent";
        assert_eq!(Speech::at(path), Some(Speech::Gemini));
        assert_eq!(model_in(path), Some("stream-2-0"));
        assert_eq!(Speech::at("/v1/messages"), Some(Speech::Anthropic));
        assert_eq!(Speech::at("/v1/models/x:embedContent"), None);
    }
}
