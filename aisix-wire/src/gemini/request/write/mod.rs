//! Writing requests, for upstreams.

mod config;
mod contents;
mod family;
mod results;
mod schemas;
mod thinking;
mod tools;

use bytes::BytesMut;

use self::contents::Conversation;
use self::family::Family;
use crate::chat::{Losses, Member, Request, WriteOptions, Written};
use crate::json::Writer;
use crate::{Dialect, Invalid};

/// The members that callers of other dialects may send under Gemini's name.
const PASSED: &[(&str, &str)] = &[
    ("safetySettings", "safetySettings"),
    ("safety_settings", "safetySettings"),
    ("cachedContent", "cachedContent"),
    ("cached_content", "cachedContent"),
];

/// What the parts of a request need to know while they are written.
struct Scene<'r> {
    request: &'r Request,
    family: Family,
    losses: Losses,
}

/// Writes a request. The model is not part of it but of the path, and so is whether it streams.
pub(crate) fn write(request: &Request, options: &WriteOptions<'_>) -> Result<Written, Invalid> {
    let mut scene = Scene {
        request,
        family: Family::of(options.model),
        losses: Losses::new(options.on_unsupported),
    };
    let conversation = Conversation::plan(&mut scene)?;
    let mut out = BytesMut::with_capacity(2048);
    let w = &mut Writer::new(&mut out);
    w.object(|w| {
        conversation.write(w, &scene);
        tools::write(w, &mut scene)?;
        tools::write_choice(w, &mut scene)?;
        config::write(w, &mut scene)?;
        scene.rest(w)
    })?;
    scene.hints()?;
    Ok(Written {
        body: out.freeze(),
        dropped: scene.losses.into_dropped(),
    })
}

// === impl Scene ===

impl Scene<'_> {
    /// Whether the caller speaks Gemini's dialect.
    fn own(&self) -> bool {
        self.request.dialect == Dialect::Gemini
    }

    /// Writes the members of the body that only Gemini knows.
    fn rest(&mut self, w: &mut Writer<'_>) -> Result<(), Invalid> {
        for extra in &self.request.rest {
            let passed = PASSED.iter().find(|(name, _)| *name == extra.name);
            match passed {
                Some((_, name)) => w.name(name).raw(extra.value.as_str()),
                None if self.own() && extra.name.starts_with(config::PREFIX) => {}
                None if self.own() => w.name(&extra.name).raw(extra.value.as_str()),
                None if extra.shapes => self.losses.shape(&extra.name)?,
                None => self.losses.hint(&extra.name)?,
            }
        }
        Ok(())
    }

    /// Reports what no Gemini request has a place for.
    fn hints(&mut self) -> Result<(), Invalid> {
        let request = self.request;
        let lost = [
            (
                request.sampling.logit_bias.is_some(),
                request.member(Member::LogitBias),
            ),
            (
                request.parallel_tools == Some(false) && !request.tools.is_empty(),
                request.member(Member::ParallelTools),
            ),
            (request.user.is_some(), request.member(Member::User)),
            (request.metadata.is_some(), request.member(Member::Metadata)),
            (
                request.service_tier.is_some(),
                request.member(Member::ServiceTier),
            ),
            (request.cache.is_some(), request.member(Member::Cache)),
        ];
        for (lost, name) in lost {
            if lost {
                self.losses.hint(name)?;
            }
        }
        Ok(())
    }
}
