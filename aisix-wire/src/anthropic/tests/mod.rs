mod errors;
mod meter;
mod request;
mod response;
mod stream;
mod strict;
mod total;
mod validator;
