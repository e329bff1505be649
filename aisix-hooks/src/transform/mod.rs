//! `transform`: changes headers and bodies of requests and answers.

mod body;
mod call;
mod headers;
mod service;
mod settings;

use std::sync::Arc;

use aisix_core::{
    call::Call,
    config::{
        Kind,
        resource::{Invalid, Stage},
    },
    hook::{Built, Context, Next, PluginFactory, Stages, from_fn},
};

pub use self::settings::{
    BodyChange, ChangeOp, Changes, HeaderChanges, OnMismatch, TransformSettings,
};
use self::{body::Patch, call::Transformed, headers::HeaderPatch, service::AnswerHeaders};

/// Changes headers of requests and answers, and the bodies of requests and of whole answers by JSON Patch
/// (RFC 6902).
///
/// Bytes that no operation touches stay as they came. A patch applies as a whole or not at all; what does not
/// fit it goes on as it is, or is refused. Of answers that are streams, only headers are changed.
///
/// On a gateway or an API key, headers change on every answer, refusals too; on a model, on answers to its
/// calls. It stands after guards, who shall see what callers say, or before them if they shall see what it
/// makes of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Transform;

// === impl Transform ===

impl PluginFactory for Transform {
    type Settings = TransformSettings;

    fn name(&self) -> &'static str {
        "transform"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest, Stage::PreResponse])
    }

    fn build(
        &self,
        settings: TransformSettings,
        context: &Context<'_>,
    ) -> Result<Built, Vec<Invalid>> {
        let TransformSettings {
            request,
            response,
            on_mismatch,
        } = settings;
        let mut wrong = Vec::new();
        let request_headers = HeaderPatch::read("request.headers", &request.headers, &mut wrong);
        let response_headers = HeaderPatch::read("response.headers", &response.headers, &mut wrong);
        let request_body = Patch::read("request.body", &request.body, &mut wrong);
        let response_body = Patch::read("response.body", &response.body, &mut wrong);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let over_http = match context.owner().kind {
            Kind::Model => None,
            _ => (!response_headers.is_empty()).then(|| response_headers.clone()),
        };
        let transformed = Arc::new(Transformed {
            id: context.id().to_owned(),
            request_headers,
            // They change once.
            response_headers: match over_http {
                Some(_) => HeaderPatch::default(),
                None => response_headers,
            },
            request_body,
            response_body,
            refuses: on_mismatch == OnMismatch::Refuse,
        });
        let on_calls = !transformed.is_empty();
        let hook = from_fn(move |call: Call, next: Next| transformed.clone().run(call, next));
        match (over_http, on_calls) {
            (Some(headers), true) => Ok(Built::http(AnswerHeaders::new(headers)).and_hook(hook)),
            (Some(headers), false) => Ok(Built::http(AnswerHeaders::new(headers))),
            (None, true) => Ok(Built::hook(hook)),
            (None, false) => {
                let message = "or `response` must say what to change";
                Err(vec![Invalid::new("request", message)])
            }
        }
    }
}
