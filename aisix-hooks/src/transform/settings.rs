//! Settings of the transform.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// Settings of [`Transform`](super::Transform).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransformSettings {
    /// What changes about requests.
    #[serde(default)]
    pub request: Changes,
    /// What changes about answers.
    #[serde(default)]
    pub response: Changes,
    /// What becomes of a body that its patch does not fit. Default: `pass`.
    #[serde(default)]
    pub on_mismatch: OnMismatch,
}

/// What changes about a message.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    /// About its headers.
    #[serde(default)]
    pub headers: HeaderChanges,
    /// About its body: a JSON Patch, which applies as a whole or not at all.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub body: Vec<BodyChange>,
}

/// Changes of headers, carried out in the order of these fields.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderChanges {
    /// Old names and new ones. One that is there under its new name already loses it.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 64))]
    pub rename: BTreeMap<String, String>,
    /// Names.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub remove: Vec<String>,
    /// Names and values, which take the place of what is there. `${…}` stands for facts of the request; where one
    /// is not known, the header is removed.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 64))]
    pub set: BTreeMap<String, String>,
    /// The same beside what is there.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 64))]
    pub add: BTreeMap<String, String>,
}

/// An operation of a JSON Patch.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BodyChange {
    /// What is done.
    pub op: ChangeOp,
    /// Where: a JSON Pointer such as `/messages/0/content`.
    #[schemars(length(max = 1_024))]
    pub path: String,
    /// From where, of `move` and `copy`.
    #[serde(default)]
    #[schemars(length(max = 1_024))]
    pub from: Option<String>,
    /// What, of `add`, `replace` and `test`; left out, it is `null`. In texts, `${…}` stands for facts of the request;
    /// where one is not known, the text is `null`. `\${` stands for `${` itself.
    #[serde(default)]
    pub value: Option<Value>,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangeOp {
    /// Adds a member or an element.
    Add,
    /// Takes away what is there.
    Remove,
    /// Gives what is there another value.
    Replace,
    /// Takes it away from one place and adds it at another.
    Move,
    /// Adds it at another place too.
    Copy,
    /// Applies the patch only if this value is there.
    Test,
}

/// What becomes of a body that its patch does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnMismatch {
    /// It goes on as it is, and the access log tells of it.
    #[default]
    Pass,
    /// A request is refused with 400, an answer with 502.
    Refuse,
}
