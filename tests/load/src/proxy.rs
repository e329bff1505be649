//! The bare proxy: hyper's server and hyper-util's client with nothing between, the floor for a gateway built on them.

use crate::serve;
use anyhow::Result;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::net::SocketAddr;
use std::process::ExitCode;

/// Where the bare proxy sends everything.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The address of the upstream
    #[arg(long)]
    to: SocketAddr,
}

/// Serves the bare proxy on a free port, which it prints.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let (listener, address) = serve::bind().await?;
    serve::announce(address)?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let authority = Authority::try_from(options.to.to_string())?;
    let service = service_fn(move |request| forward(client.clone(), authority.clone(), request));
    serve::serve(listener, service).await?;
    Ok(ExitCode::SUCCESS)
}

/// Sends the call on, its body streamed, and hands back the reply as it comes.
async fn forward(
    client: Client<HttpConnector, Incoming>,
    authority: Authority,
    request: Request<Incoming>,
) -> Result<Response<Incoming>> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.into_parts().path_and_query;
    parts.uri = Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(authority)
        .path_and_query(path.unwrap_or_else(|| PathAndQuery::from_static("/")))
        .build()?;
    Ok(client.request(Request::from_parts(parts, body)).await?)
}
