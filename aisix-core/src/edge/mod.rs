//! Where HTTP becomes a request of ours, and errors become HTTP.

mod array;
mod client;
mod drain;
mod landed;
mod layer;
mod probe;
mod request_id;
mod respond;
mod route;
mod settings;

pub use self::{
    client::{ClientAddr, RealIp},
    drain::Drain,
    request_id::RequestId,
    respond::{status, write},
    route::Route,
    settings::{MAX_BODY, Settings},
};
pub(crate) use self::{
    landed::Landed,
    layer::{EdgeLayer, EdgeService, too_large},
    respond::error_body,
    settings::Edge,
};
