mod caching;
mod errors;
mod meter;
mod request;
mod response;
mod stream;
pub(crate) mod strict;
mod total;
mod validator;
