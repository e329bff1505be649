//! `injection_protection`: refuses requests with the strings that attack what stands behind a gateway.

mod credentials;
mod patterns;
mod predefined;
mod settings;

use std::borrow::Cow;

use aisix_core::{
    Error, ErrorKind,
    call::Call,
    config::resource::{Invalid, Stage},
    hook::{Built, Check, Context, PluginFactory, Stages},
};
use async_trait::async_trait;
use http::{StatusCode, request::Parts};
use percent_encoding::percent_decode_str;

use self::patterns::{Patterns, Place};
pub use self::settings::{
    CustomInjection, InjectionAction, InjectionContent, InjectionKind, InjectionProtectionSettings,
    PredefinedInjection,
};
use crate::text;

/// Refuses requests in which an attack string occurs, with 400 and the code `injection_detected`.
///
/// It looks at the texts of the body in every dialect, at path and query, and at headers, as it is told.
/// Credentials are never looked at. Its patterns are those of strings that do harm where a program takes
/// them for a part of its own words; prose, code and addresses pass in a body. What cannot be read is refused.
///
/// A request takes time linear in its length. It keeps nothing and only looks, so that it can run
/// beside others, and observe.
#[derive(Clone, Copy, Debug, Default)]
pub struct InjectionProtection;

/// The check.
struct Protection {
    name: String,
    headers: Option<Patterns>,
    path_and_query: Option<Patterns>,
    body: Option<Patterns>,
    status: StatusCode,
    message: String,
}

// === impl InjectionProtection ===

impl PluginFactory for InjectionProtection {
    type Settings = InjectionProtectionSettings;

    fn name(&self) -> &'static str {
        "injection_protection"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest])
    }

    fn build(
        &self,
        settings: InjectionProtectionSettings,
        context: &Context<'_>,
    ) -> Result<Built, Vec<Invalid>> {
        settings.check()?;
        let status = StatusCode::from_u16(settings.status_code);
        let status = status.map_err(|_| vec![Invalid::new("status_code", "is no status")])?;
        Ok(Built::check(Protection {
            name: context.id().to_owned(),
            headers: Patterns::of(&settings, Place::Headers)?,
            path_and_query: Patterns::of(&settings, Place::PathAndQuery)?,
            body: Patterns::of(&settings, Place::Body)?,
            status,
            message: settings.error_message,
        }))
    }
}

// === impl Protection ===

impl Protection {
    /// Which pattern occurs, if one does.
    fn found(&self, call: &Call) -> Option<&str> {
        let head = &call.inbound.head;
        named(self.path_and_query.as_ref(), |patterns| {
            in_path_and_query(head, patterns)
        })
        .or_else(|| named(self.headers.as_ref(), |patterns| in_headers(head, patterns)))
        .or_else(|| self.in_body(call))
    }

    fn in_body(&self, call: &Call) -> Option<&str> {
        let patterns = self.body.as_ref()?;
        let dialect = call.inbound.operation.dialect;
        match text::of_request(dialect, call.bytes()) {
            Ok(texts) => {
                let mut texts = texts.iter();
                let found = texts.find_map(|text| patterns.find(text.text.as_bytes()))?;
                Some(patterns.name(found))
            }
            Err(_) => Some("unreadable"),
        }
    }
}

#[async_trait]
impl Check for Protection {
    async fn check(&self, call: &Call) -> Result<(), Error> {
        let Some(found) = self.found(call) else {
            return Ok(());
        };
        let trail = call.trail();
        trail.mark("injection_protection", format!("{}: {found}", self.name));
        let error = Error::new(ErrorKind::InvalidRequest, self.message.clone());
        Err(error
            .with_status(self.status)
            .with_code("injection_detected"))
    }
}

/// The name of what is found.
fn named(patterns: Option<&Patterns>, find: impl Fn(&Patterns) -> Option<usize>) -> Option<&str> {
    let patterns = patterns?;
    find(patterns).map(|found| patterns.name(found))
}

fn in_headers(head: &Parts, patterns: &Patterns) -> Option<usize> {
    let headers = head.headers.iter();
    let mut harmless = headers.filter(|(name, value)| !credentials::in_header(name, value));
    harmless.find_map(|(_, value)| patterns.find(value.as_bytes()))
}

/// Each part as it came and decoded: parts of the query by themselves, so that one pattern never spans two.
fn in_path_and_query(head: &Parts, patterns: &Patterns) -> Option<usize> {
    let query = head.uri.query().unwrap_or_default().split('&');
    let query = query.filter(|pair| !credentials::in_query(pair));
    let mut parts = std::iter::once(head.uri.path()).chain(query);
    parts.find_map(|part| {
        patterns.find(part.as_bytes()).or_else(|| {
            let spaced = part.replace('+', " ");
            let decoded: Cow<'_, [u8]> = percent_decode_str(&spaced).into();
            patterns.find(&decoded)
        })
    })
}
