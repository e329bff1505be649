//! Reading one value.
//!
//! The environment has only text, and other readers of these files take `"4"` for a number, so text
//! that reads as a value of the right type is one.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
    time::Duration,
};

use http::HeaderName;
use ipnet::IpNet;
use serde_json::Value;

/// What can be read from a value. The error is the rest of a sentence about its key.
pub(super) trait Setting: Sized {
    fn read(value: &Value) -> Result<Self, String>;
}

/// A time in milliseconds; none for 0.
pub(super) struct Millis(pub(super) Option<Duration>);

/// A time in seconds; none for 0.
pub(super) struct Secs(pub(super) Option<Duration>);

impl Setting for bool {
    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Bool(bool) => Some(*bool),
            Value::String(text) => match text.to_ascii_lowercase().as_str() {
                "true" => Some(true),
                "false" => Some(false),
                _ => None,
            },
            _ => None,
        }
        .ok_or_else(|| "must be true or false".to_owned())
    }
}

impl Setting for u64 {
    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
        .ok_or_else(|| "must be a whole number that is not negative".to_owned())
    }
}

impl Setting for u32 {
    fn read(value: &Value) -> Result<Self, String> {
        Self::try_from(u64::read(value)?).map_err(|_| format!("must be at most {}", Self::MAX))
    }
}

impl Setting for usize {
    fn read(value: &Value) -> Result<Self, String> {
        Self::try_from(u64::read(value)?).map_err(|_| format!("must be at most {}", Self::MAX))
    }
}

impl Setting for NonZeroUsize {
    fn read(value: &Value) -> Result<Self, String> {
        Self::new(usize::read(value)?).ok_or_else(|| "must be at least 1".to_owned())
    }
}

impl Setting for f64 {
    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
        .filter(|float: &Self| float.is_finite())
        .ok_or_else(|| "must be a number".to_owned())
    }
}

impl Setting for String {
    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(bool) => Ok(bool.to_string()),
            _ => Err("must be a string".to_owned()),
        }
    }
}

impl Setting for PathBuf {
    fn read(value: &Value) -> Result<Self, String> {
        match String::read(value)? {
            path if path.is_empty() => Err("must not be empty".to_owned()),
            path => Ok(path.into()),
        }
    }
}

impl Setting for SocketAddr {
    fn read(value: &Value) -> Result<Self, String> {
        parsed(
            value,
            "must be an address with a port, such as 0.0.0.0:3000",
        )
    }
}

impl Setting for HeaderName {
    fn read(value: &Value) -> Result<Self, String> {
        parsed(value, "must be the name of a header")
    }
}

impl Setting for IpNet {
    fn read(value: &Value) -> Result<Self, String> {
        let message = "must be an IP address or a network such as 10.0.0.0/8";
        parsed(value, message).or_else(|_| parsed::<IpAddr>(value, message).map(Self::from))
    }
}

impl Setting for Millis {
    fn read(value: &Value) -> Result<Self, String> {
        u64::read(value).map(|millis| Self((millis > 0).then(|| Duration::from_millis(millis))))
    }
}

impl Setting for Secs {
    fn read(value: &Value) -> Result<Self, String> {
        u64::read(value).map(|secs| Self((secs > 0).then(|| Duration::from_secs(secs))))
    }
}

fn parsed<T: std::str::FromStr>(value: &Value, message: &str) -> Result<T, String> {
    match value {
        Value::String(text) => text.parse().map_err(|_| message.to_owned()),
        _ => Err(message.to_owned()),
    }
}
