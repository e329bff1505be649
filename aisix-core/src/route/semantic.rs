//! Who serves a call by what it means.

use std::sync::Arc;

use aisix_wire::{
    Form,
    chat::{Content, Role, caller_codec},
};
use http::{HeaderName, HeaderValue};
use tower_service::Service;

use super::{
    RouteLayer,
    examples::{Vector, embed},
};
use crate::{
    call::{Attempt, Call, likeness},
    error::{Error, ErrorKind},
    models::{OnFailure, Semantic, quoted},
    reply::Reply,
    upstream::Exit,
};

/// The name of the route that a request has taken, if it suits one.
const ROUTE: HeaderName = HeaderName::from_static("x-aisix-route");
/// How much of a text is compared, in bytes: few models take more.
const MAX_TEXT: usize = 32 * 1024;
/// How far from its threshold a likeness may be, since numbers are rounded.
const ROUNDED: f32 = 1e-6;

/// The place of a route, and how like one of its examples a request is.
type Suits = (usize, f32);

impl RouteLayer {
    /// Serves a call of a model that routes by meaning, as a group would whose only target is the one that is chosen.
    pub(super) async fn by_meaning<S>(
        self,
        inner: S,
        call: &Arc<Call>,
        semantic: &Semantic,
    ) -> Result<Reply, Error>
    where
        S: Service<Attempt, Response = Reply, Error = Error> + Send + 'static,
        S::Future: Send,
    {
        let (choice, route) = choose(call, semantic).await?;
        let answer = self.routed(inner, call, &semantic.choices[choice]).await;
        let Some(route) = route.and_then(|name| HeaderValue::from_bytes(name.as_bytes()).ok())
        else {
            return answer;
        };
        match answer {
            Ok(mut reply) => {
                reply.headers_mut().insert(ROUTE, route);
                Ok(reply)
            }
            Err(error) => Err(error.with_header(ROUTE, route)),
        }
    }
}

/// Who serves a call, and by which route.
async fn choose<'s>(
    call: &Call,
    semantic: &'s Semantic,
) -> Result<(usize, Option<&'s str>), Error> {
    let Some(text) = asked_last(call) else {
        return Ok((0, None));
    };
    if let Exit::Show(witness) = &call.exit {
        witness.embeds(&semantic.embedding_model, &text);
        return Ok((0, None));
    }
    let suited = suited(call, semantic, &text).await;
    semantic.examples.note(call, suited.as_ref().err());
    match suited {
        Ok(None) => Ok((0, None)),
        Ok(Some((place, likeness))) => {
            let route = &semantic.routes[place];
            call.trail().mark("semantic_route", &*route.name);
            call.trail()
                .mark("semantic_likeness", format!("{likeness:.4}"));
            Ok((route.choice, Some(&route.name)))
        }
        Err(error) => {
            call.trail().mark("semantic_failure", error.kind().name());
            match semantic.on_failure {
                OnFailure::Choose(choice) => Ok((choice, None)),
                OnFailure::Refuse => {
                    let model = quoted(call.requested_model());
                    let message = format!("who serves model {model} could not be told");
                    Err(Error::new(ErrorKind::ProviderUnavailable, message).with_source(error))
                }
            }
        }
    }
}

/// The route that a text suits best.
async fn suited(call: &Call, semantic: &Semantic, text: &str) -> Result<Option<Suits>, Error> {
    let examples = semantic.examples.vectors(call, semantic).await?;
    let found = embed(call, semantic, &[text]).await?;
    Ok(found
        .first()
        .and_then(|text| best(semantic, examples, text)))
}

/// The route one of whose examples is most like a text, of those where that is enough; of equals, the first.
fn best(semantic: &Semantic, examples: &[Vector], text: &Vector) -> Option<Suits> {
    let mut best: Option<Suits> = None;
    for (place, route) in semantic.routes.iter().enumerate() {
        let examples = examples.get(route.examples.clone()).unwrap_or_default();
        let alike = examples.iter().filter_map(|it| likeness(it, text));
        let Some(alike) = alike.reduce(f32::max) else {
            continue;
        };
        if alike + ROUNDED >= route.threshold && best.is_none_or(|(_, other)| alike > other) {
            best = Some((place, alike));
        }
    }
    best
}

/// The text of the last thing that the user says in a conversation: its beginning, if it is long. `None` if there is none.
fn asked_last(call: &Call) -> Option<String> {
    let operation = call.inbound.operation;
    if !matches!(operation.form, Form::Chat | Form::CountTokens) {
        return None;
    }
    // What cannot be read here is told by whoever serves it.
    let request = caller_codec(operation.dialect)?.read_request(call.bytes());
    let turns = request.ok()?.turns;
    let of_user = turns.iter().rev().filter(|turn| turn.role == Role::User);
    let mut texts = of_user.map(|turn| {
        let texts = turn.blocks.iter().filter_map(|block| match &block.content {
            Content::Text { text, .. } => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    });
    // Answers of tools are the user's in some dialects, but nothing that is asked.
    let mut text = texts.find(|text| !text.trim().is_empty())?;
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    Some(text)
}
