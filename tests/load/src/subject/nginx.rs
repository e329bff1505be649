//! nginx as a plain reverse proxy.

use super::{Site, free_ports};
use crate::process::{Process, pinned};
use anyhow::Result;
use std::net::SocketAddr;

/// Starts nginx with a configuration of its own.
pub(super) fn start(site: &Site<'_>) -> Result<(Process, SocketAddr)> {
    let [address] = free_ports()?;
    let file = site.folder.join("nginx.conf");
    std::fs::write(&file, configuration(address, site.upstream))?;
    let mut command = pinned(site.core, site.nginx);
    command.arg("-p").arg(site.folder);
    command.arg("-c").arg(&file).args(["-e", "stderr"]);
    let process = Process::logged(command, &site.folder.join("nginx.log"))?;
    Ok((process, address))
}

/// One process that is its own single worker: a worker under a master would outlive a killed one.
fn configuration(address: SocketAddr, upstream: SocketAddr) -> String {
    format!(
        "daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_timeout 300s;
    keepalive_requests 1000000000;
    client_max_body_size 0;
    client_body_buffer_size 1m;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    upstream mock {{
        server {upstream};
        keepalive 256;
        keepalive_requests 1000000000;
        keepalive_time 10h;
    }}
    server {{
        listen {address};
        location / {{
            proxy_pass http://mock;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_buffering off;
        }}
    }}
}}
"
    )
}
