//! Where Redis is, and how a process stands to it, for all that is shared in Redis.

mod connect;
mod link;
mod settings;

pub(crate) use self::{
    connect::{Connection, Connector, silent},
    link::{Link, Words},
};
pub use self::{
    link::{Operation, Standing},
    settings::{Access, Invalid, Server, Tls},
};
