//! `GET /v1/models` and `GET /v1/models/{id}`.

use aisix_wire::{ModelInfo, write_model, write_models};
use http::StatusCode;

use super::Model;
use crate::{
    call::{Arrival, Caller},
    error::Error,
    models::admit::not_found,
    reply::Reply,
};

/// The creation time that is answered for every model, in seconds since the epoch: the beginning of
/// 2026. Resources do not say when they were made, and what is answered must not change from one
/// call, restart or node to the next.
const CREATED: u64 = 1_767_225_600;

fn info<'a>(name: &'a str, model: &'a Model) -> ModelInfo<'a> {
    ModelInfo {
        id: name,
        created: CREATED,
        owned_by: model.target().map_or("aisix", |target| target.provider()),
    }
}

/// All models that the caller may use, by name; patterns are left out.
pub(crate) fn list(arrival: &Arrival, caller: &Caller) -> Reply {
    let models: Vec<_> = arrival
        .config
        .models()
        .filter(|model| !model.is_wildcard() && caller.may_use(model.name()))
        .map(|model| info(model.name(), model))
        .collect();
    let dialect = arrival.route.dialect(&arrival.head);
    Reply::new(
        StatusCode::OK,
        "application/json",
        write_models(dialect, &models),
    )
}

/// One model. One that the caller may not use does not exist for them.
pub(crate) fn one(arrival: &Arrival, caller: &Caller, id: &str) -> Result<Reply, Error> {
    let model = arrival
        .config
        .model(id)
        .filter(|_| caller.may_use(id))
        .ok_or_else(|| not_found(id))?;
    let dialect = arrival.route.dialect(&arrival.head);
    let body = write_model(dialect, &info(id, model));
    Ok(Reply::new(StatusCode::OK, "application/json", body))
}
