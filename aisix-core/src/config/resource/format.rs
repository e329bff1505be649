//! What texts in a document must look like.
//!
//! A type that is read from text names its format in its schema; the validator calls the same
//! parser that reads the type, so that every mistake is reported with its place.

use std::borrow::Cow;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{
    cidrs::{self, Cidrs},
    headers::{self, Headers},
    key_hash::KeyHash,
    policy,
    provider_key::FieldPath,
    template::Template,
    upstream,
};
use crate::config::{glob::Glob, secret::Secret};

/// A form of text.
pub(super) struct Format {
    /// The name in schemas.
    pub(super) name: &'static str,
    /// What is wrong with a text, as the rest of a sentence about its field. Never repeats it.
    pub(super) check: fn(&str) -> Result<(), String>,
    /// Whether a reader of machines' documents leaves the element out and keeps the rest.
    pub(super) is_soft: bool,
}

/// All formats.
pub(super) const FORMATS: [Format; 14] = [
    Format {
        name: "cidr",
        check: |text| {
            cidrs::parse(text)
                .map(drop)
                .ok_or_else(|| "must be an IP address or a network such as 10.0.0.0/8".to_owned())
        },
        is_soft: true,
    },
    Format {
        name: "glob",
        check: |text| match text.matches('*').count() {
            0 | 1 => Ok(()),
            _ => Err("must not have more than one `*`".to_owned()),
        },
        is_soft: true,
    },
    Format {
        name: "header-name",
        check: |text| headers::settable(text).map(drop).map_err(str::to_owned),
        is_soft: true,
    },
    Format {
        name: "header-template",
        check: |text| {
            Template::parse(text)
                .map(drop)
                .map_err(|error| error.to_string())
        },
        is_soft: true,
    },
    Format {
        name: "sha256-hex",
        check: |text| {
            KeyHash::from_hex(text)
                .map(drop)
                .ok_or_else(|| "must be a SHA-256 in 64 lowercase hexadecimal digits".to_owned())
        },
        is_soft: false,
    },
    Format {
        name: "date-time",
        check: |text| {
            text.parse::<Timestamp>()
                .map(drop)
                .map_err(|_| "must be a time such as 2030-01-31T12:00:00Z".to_owned())
        },
        is_soft: false,
    },
    Format {
        name: "http-url",
        check: http_url,
        is_soft: false,
    },
    Format {
        name: "pem-certificates",
        check: |text| match text.contains("-----BEGIN CERTIFICATE-----") {
            true => Ok(()),
            false => Err("must hold at least one certificate in PEM".to_owned()),
        },
        is_soft: false,
    },
    Format {
        name: "field-path",
        check: |text| match text.is_empty() || FieldPath::parse(text).is_some() {
            true => Ok(()),
            false => Err("must be names with dots between them".to_owned()),
        },
        is_soft: true,
    },
    Format {
        name: "start-of-window",
        check: |text| match policy::minute(text).is_some() && text != "24:00" {
            true => Ok(()),
            false => Err("must be a time such as 09:30".to_owned()),
        },
        is_soft: false,
    },
    Format {
        name: "end-of-window",
        check: |text| match policy::minute(text).is_some() {
            true => Ok(()),
            false => Err("must be a time such as 17:30, or 24:00".to_owned()),
        },
        is_soft: false,
    },
    Format {
        name: "time-zone",
        check: |text| match policy::zone(text).is_some() {
            true => Ok(()),
            false => Err("must be the name of a time zone, such as Europe/Berlin".to_owned()),
        },
        is_soft: true,
    },
    Format {
        name: "bounded-regex",
        check: |text| upstream::body_pattern(text).map(drop),
        is_soft: false,
    },
    Format {
        name: "calendar-date",
        check: |text| match policy::date(text).is_some() {
            true => Ok(()),
            false => Err("must be a date such as 2030-01-31".to_owned()),
        },
        is_soft: true,
    },
];

/// The format of this name.
pub(super) fn named(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

fn http_url(text: &str) -> Result<(), String> {
    let bad = || Err("must be a URL with http:// or https:// and a host".to_owned());
    let Ok(uri) = text.parse::<http::Uri>() else {
        return bad();
    };
    match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(authority)) if !authority.host().is_empty() => {
            if authority.as_str().contains('@') {
                return Err("must not hold a user name or password".to_owned());
            }
            Ok(())
        }
        _ => bad(),
    }
}

/// Says what a hand-read type looks like in a document.
macro_rules! looks_like {
    ($type:ty, $name:literal, $schema:tt) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

looks_like!(Glob, "Glob", {"type": "string", "format": "glob"});
looks_like!(Secret, "Secret", {"type": "string", "minLength": 1, "writeOnly": true});
looks_like!(KeyHash, "KeyHash", {"type": "string", "format": "sha256-hex"});
looks_like!(Cidrs, "Cidrs", {
    "type": "array",
    "items": {"type": "string", "format": "cidr"},
});
looks_like!(Headers, "Headers", {
    "type": "object",
    "propertyNames": {"format": "header-name"},
    "additionalProperties": {"type": "string", "format": "header-template"},
});
