//! Resources of any kind: read, written, deleted.

use aisix_core::{
    body::Body,
    config::{ConfigStore, Key, Kind, resource::json_schema, store::Stored},
};
use http::{Response, StatusCode, request::Parts};
use serde_json::{Map, Value, json};

use crate::{
    answer::{Refusal, item, json_response, shown, tagged},
    desk::Done,
    diff,
    request::{self, Query},
};

/// The largest page.
const MAX_PAGE: usize = 1_000;

type Answer = Result<Response<Body>, Refusal>;

/// `{total, list}`: all, or a page of those that the parameters leave.
pub(crate) async fn list(
    store: &dyn ConfigStore,
    kind: Kind,
    segment: &str,
    mut query: Query,
) -> Answer {
    let page = Page::of(&mut query)?;
    let name = query.take("name").map(|name| name.to_lowercase());
    let mut filters = Vec::new();
    for (field, wanted) in query.rest() {
        if !is_filter(kind, &field) {
            return Err(request::unknown(&field));
        }
        filters.push((field, wanted));
    }
    let mut found = store.list(Some(kind)).await?.entries;
    found.retain(|stored| {
        let document = &stored.entry.value;
        let named = |part: &String| {
            let name = document[kind.name_field()].as_str().unwrap_or_default();
            name.to_lowercase().contains(part)
        };
        name.as_ref().is_none_or(named)
            && filters
                .iter()
                .all(|(field, wanted)| is(&document[field], wanted))
    });
    // In the order of their making.
    found.sort_by(|a, b| (a.created, &a.entry.key).cmp(&(b.created, &b.entry.key)));
    let total = found.len();
    let list: Vec<Value> = page
        .cut(found)
        .map(|stored| item(segment, stored))
        .collect();
    Ok(json_response(
        StatusCode::OK,
        &json!({"total": total, "list": list}),
    ))
}

/// One resource, with its `ETag`.
pub(crate) async fn get(store: &dyn ConfigStore, key: &Key, segment: &str, head: &Parts) -> Answer {
    let stored = store.get(key).await?;
    let stored = stored.ok_or_else(|| Refusal::not_found(key))?;
    let revision = stored.entry.revision;
    let unchanged = head.headers.get(http::header::IF_NONE_MATCH);
    if unchanged.is_some_and(|tag| tag.as_bytes() == crate::answer::etag(revision).as_bytes()) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    Ok(tagged(StatusCode::OK, &item(segment, stored), revision))
}

/// The shape of the current generation, which is read only: `[{id, value, revision}]`.
pub(crate) async fn list_v1(store: &dyn ConfigStore, kind: Kind) -> Answer {
    let found = store.list(Some(kind)).await?.entries;
    let list: Value = found.into_iter().map(entry_v1).collect();
    Ok(json_response(StatusCode::OK, &list))
}

/// One of them.
pub(crate) async fn get_v1(store: &dyn ConfigStore, key: &Key) -> Answer {
    match store.get(key).await? {
        Some(stored) => Ok(json_response(StatusCode::OK, &entry_v1(stored))),
        None => Err(Refusal::new(StatusCode::NOT_FOUND, "resource not found")),
    }
}

fn entry_v1(stored: Stored) -> Value {
    let entry = stored.entry;
    let (id, kind) = (entry.key.id.to_string(), entry.key.kind);
    json!({"id": id, "value": shown(kind, entry.value), "revision": entry.revision})
}

/// What is said about a write: `{key, value}`, and the credential if there is a new one.
pub(crate) fn written(done: Done, segment: &str, dry_run: bool) -> Response<Body> {
    let key = done.key.as_ref();
    let of_it = done
        .changed
        .iter()
        .find(|changed| Some(&changed.key) == key);
    let is_new = of_it.is_some_and(|changed| changed.before.is_none());
    let is_gone = of_it.is_some_and(|changed| changed.after.is_none());
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    if is_gone {
        put("deleted", 1.into());
    }
    if let Some(key) = key {
        put("key", format!("/{segment}/{}", key.id).into());
    }
    if let Some((key, value)) = key.zip(done.value.clone()) {
        put("value", shown(key.kind, value));
    }
    if let Some(plaintext) = done.plaintext.filter(|_| !dry_run) {
        put("plaintext", plaintext.into());
    }
    if key.is_none() {
        put("revision", done.revision.into());
    }
    if dry_run {
        put("dry_run", true.into());
    }
    if dry_run || key.is_none() {
        put("changes", done.changed.iter().map(diff::shown).collect());
    }
    let status = match is_new && !dry_run {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    let value = Value::Object(members);
    match key.is_some() && !is_gone && !dry_run {
        true => tagged(status, &value, done.revision),
        false => json_response(status, &value),
    }
}

/// A part of a list.
pub(crate) struct Page {
    skip: usize,
    take: usize,
}

// === impl Page ===

impl Page {
    /// `page` counts from 1; without `page_size` the page is everything, or 100 if there is a `page`.
    pub(crate) fn of(query: &mut Query) -> Result<Self, Refusal> {
        let page = query.number("page", 1..=usize::MAX)?;
        let size = query.number("page_size", 1..=MAX_PAGE)?;
        let take = match (page, size) {
            (_, Some(size)) => size,
            (Some(_), None) => 100,
            (None, None) => usize::MAX,
        };
        let skip = page.map_or(0, |page| (page - 1).saturating_mul(take));
        Ok(Self { skip, take })
    }

    pub(crate) fn cut<T>(&self, items: Vec<T>) -> impl Iterator<Item = T> + use<T> {
        items.into_iter().skip(self.skip).take(self.take)
    }
}

/// Whether a list can be filtered by this field: it holds one thing, which is no secret.
fn is_filter(kind: Kind, field: &str) -> bool {
    let schema = &json_schema(kind)["properties"][field];
    let plain = ["string", "boolean", "integer", "number"];
    let is_plain = schema["type"]
        .as_str()
        .is_some_and(|it| plain.contains(&it));
    is_plain && schema["writeOnly"] != true
}

fn is(value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) => text == wanted,
        Value::Bool(is_on) => wanted.parse() == Ok(*is_on),
        Value::Number(number) => wanted
            .parse()
            .is_ok_and(|wanted: serde_json::Number| wanted == *number),
        // Absent switches are off.
        Value::Null => wanted == "false",
        _ => false,
    }
}
