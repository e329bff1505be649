//! What was done.

use aisix_core::{body::Body, config::ConfigStore};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    answer::{Refusal, json_response},
    diff,
    request::Query,
    resources::Page,
};

/// `{total, list}`: the records, newest first, without secrets.
pub(crate) async fn list(
    store: &dyn ConfigStore,
    mut query: Query,
) -> Result<Response<Body>, Refusal> {
    let page = Page::of(&mut query)?;
    query.finish()?;
    let mut records = store.history(0).await?;
    records.reverse();
    let total = records.len();
    let list: Value = page
        .cut(records)
        .map(|record| {
            let changes: Value = record.changes.iter().map(diff::shown).collect();
            json!({
                "revision": record.revision,
                "at": record.at.to_string(),
                "by": record.by,
                "changes": changes,
            })
        })
        .collect();
    Ok(json_response(
        StatusCode::OK,
        &json!({"total": total, "list": list}),
    ))
}
