//! What callers give.

use std::{collections::BTreeMap, sync::Arc};

use aisix_core::{
    Error,
    call::Call,
    wire::{Edits, Envelope, Kind, Member},
};

use super::prompt::is_name;

/// The member of a request in which callers give variables.
pub(super) const GIVEN: &str = "prompt_variables";

/// The variables that a caller gives. They are kept beside the call when their member is taken away, for others
/// in the chain.
#[derive(Clone, Debug, Default)]
pub(super) struct Given(Arc<BTreeMap<String, String>>);

// === impl Given ===

impl Given {
    /// Takes the variables out of a call.
    ///
    /// # Errors
    ///
    /// When the member is no object, or a variable is no text, number or truth value.
    pub(super) fn take(call: &mut Call, edits: &mut Edits) -> Result<Self, Error> {
        if let Some(given) = call.inbound.head.extensions.get::<Self>() {
            return Ok(given.clone());
        }
        let payload = &call.inbound.payload;
        let Some(member) = payload.member(GIVEN) else {
            return Ok(Self::default());
        };
        let given = match member.kind {
            Kind::Null => Self::default(),
            Kind::Object => Self::read(call.bytes(), member)?,
            _ => {
                return Err(Error::invalid(
                    GIVEN,
                    format!("`{GIVEN}` must be an object"),
                ));
            }
        };
        edits.remove(GIVEN);
        let head = Arc::make_mut(&mut call.inbound.head);
        head.extensions.insert(given.clone());
        Ok(given)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn read(body: &[u8], member: &Member) -> Result<Self, Error> {
        let object = Envelope::scan_at(body, member.value.clone())
            .map_err(|_| Error::invalid(GIVEN, format!("`{GIVEN}` has too many members")))?;
        let mut given = BTreeMap::new();
        for variable in object.members() {
            let name = body.get(variable.name.clone()).unwrap_or_default();
            let name = std::str::from_utf8(name).unwrap_or_default();
            if variable.escaped_name || !is_name(name) {
                let message = format!("`{GIVEN}` has a name that no variable can have");
                return Err(Error::invalid(GIVEN, message));
            }
            let value = match variable.kind {
                Kind::Null => continue,
                Kind::String => variable.as_str(body).unwrap_or_default().into_owned(),
                Kind::Number | Kind::Bool(_) => {
                    String::from_utf8_lossy(variable.raw(body)).into_owned()
                }
                Kind::Array | Kind::Object => {
                    let message = format!(
                        "the prompt variable `{name}` must be a text, a number or a boolean"
                    );
                    return Err(Error::invalid(format!("{GIVEN}.{name}"), message));
                }
            };
            given.insert(name.to_owned(), value);
        }
        Ok(Self(Arc::new(given)))
    }
}
