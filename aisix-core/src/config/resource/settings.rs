//! Settings of plugins: validated as documents are.

use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Invalid, Strictness, schema::Checker, validate};

/// What reads settings of a type, made from its schema once.
pub(crate) struct Settings<T> {
    checker: Checker,
    of: PhantomData<fn() -> T>,
}

// === impl Settings ===

impl<T: DeserializeOwned + JsonSchema> Settings<T> {
    pub(crate) fn new() -> Self {
        Self {
            checker: Checker::of::<T>(),
            of: PhantomData,
        }
    }

    pub(crate) fn schema(&self) -> &Value {
        &self.checker.schema
    }

    /// Reads settings; also gives the fields that were left out, always none in strict reading.
    pub(crate) fn read(
        &self,
        value: Value,
        strictness: Strictness,
    ) -> Result<(T, Vec<String>), Vec<Invalid>> {
        validate::settings(&self.checker, value, strictness)
    }
}
