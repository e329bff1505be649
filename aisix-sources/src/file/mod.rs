//! One `resources.yaml` that holds all resources.
//!
//! People write it, so it is read strictly: everything that is wrong with it is reported at once,
//! each mistake with its place, and a file with a mistake is refused as a whole.
//!
//! ```
//! let text = r#"
//! _format_version: "1"
//! provider_keys:
//!   - display_name: openai
//!     provider: openai
//!     api_key: ${OPENAI_API_KEY}
//! models:
//!   - display_name: gpt-4o
//!     provider: openai
//!     model_name: gpt-4o
//!     provider_key: openai
//! api_keys:
//!   - display_name: me
//!     key_env: MY_KEY
//!     allowed_models: ["*"]
//! "#;
//! let env = |name: &str| Some(format!("value of {name}"));
//! let loaded = aisix_sources::file::parse("resources.yaml", text, &env)?;
//! assert_eq!(loaded.entries.len(), 3);
//! # Ok::<_, aisix_sources::file::Report>(())
//! ```
//!
//! Ids are derived from names, so that they stay the same as long as the names do.
//!
//! The same form brings resources from one store to another: [`write()`] makes it of what a store holds,
//! [`parse_into`] reads it for a store that holds something already.

mod document;
mod draft;
mod held;
mod interpolate;
mod load;
mod mentions;
mod names;
mod references;
mod report;
mod sugar;
mod variables;
mod watch;
mod write;
mod yaml;

#[cfg(test)]
mod tests;

pub use self::{
    held::Held,
    load::{Loaded, MAX_BYTES, load, load_into, parse, parse_into},
    names::names,
    report::{Problem, Report},
    watch::{Reloader, Watch},
    write::{Form, Needed, Secrets, Written, write},
};
