//! The one place where all crates meet.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use aisix_admin::{Admin, AdminBuilder, AdminKeys};
use aisix_core::{
    Gateway, GatewayBuilder,
    body::Body,
    config::{
        Change, Config, ConfigBuilder, ConfigStore, Entry, KeyHash, Secret, status, store::Mirror,
    },
    edge::{self, Drain},
    explain::Explainer,
    models,
    observe::Observer,
    replicas, upstream,
};
use aisix_hooks::observe::{
    AccessLog, Flush, Metrics, MetricsSettings,
    metrics::{self, Buckets, ClientTypeRule, ConfigMetrics},
};
use aisix_providers::http::{self as transport, Client};
use aisix_sources::embedded::Embedded;
use tower::ServiceExt;

use crate::{
    admin_key::MadeUp,
    caches::Caches,
    last_known::Keeper,
    limits::Limits,
    resources::{self, Follow},
    serve::{
        Aside, HttpService, ListenerSettings, Proxy, Shutdown, Signals, TlsFiles, Workers, aside,
        get_only,
    },
    settings::{self, ServerTls, Settings, UrlRewrite},
};

type Observers = Vec<Arc<dyn Observer>>;

/// Where resources come from.
pub(crate) enum Resources {
    /// What the settings name, or the embedded store.
    Settings,
    /// These, for as long as the process lives.
    Memory(Vec<Entry>),
}

/// The addresses that were taken.
pub(crate) struct Started {
    pub(crate) proxy: SocketAddr,
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) metrics: Option<SocketAddr>,
    /// An admin key that was made up and that nobody knows yet.
    pub(crate) admin_key: Option<Secret>,
}

/// Where resources come from, opened.
struct Source {
    /// What there is to begin with, unless something is served already.
    first: Option<Change>,
    follow: Follow,
    /// What administrators read and write, if there is something.
    store: Option<Arc<dyn ConfigStore>>,
    /// Whether it is ours to write.
    is_embedded: bool,
    /// Keeps what was served last.
    keeper: Option<Keeper>,
}

/// Puts the gateway together and serves until it is told to stop.
///
/// `started` is called once, when clients can connect.
pub(crate) fn run(
    settings: &Settings,
    resources: Resources,
    started: impl FnOnce(&Started),
) -> anyhow::Result<()> {
    // The TLS of this process, towards clients and upstreams.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();

    tracing::info!(
        service = settings.observability.service_name,
        version = env!("CARGO_PKG_VERSION"),
        "starting"
    );

    // One configuration for all workers. What is wrong at the start stops the start.
    let metrics = Metrics::new(metrics_settings(settings));
    let caches = Caches::new(settings, &metrics)?;
    let config = known()
        .hooks(caches.hooks())
        .upstream(upstream_settings(settings))
        .build();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let counts = metrics.config();
    let source = runtime.block_on(load(settings, resources, (&config, &counts)))?;
    let named = source.follow.source();
    config.describe(move || named());
    if let Some(first) = source.first {
        resources::apply(&config, &counts, [first]);
    }

    // One gateway for each worker, with connections of its own and everything else shared.
    let (observers, flush) = observers(settings, &metrics)?;
    let drain = Drain::new();
    let mut limits = Limits::new(settings, &metrics)?;
    runtime.block_on(limits.connect());
    let builder = Gateway::builder(config.clone())
        .settings(edge_settings(settings))
        .drain(drain.clone());
    let builder = limits.count(builder);
    let shared = observers
        .into_iter()
        .fold(builder, GatewayBuilder::observe_shared);
    let for_admin = shared.clone();
    let transport = transport_settings(settings);
    let checks = checks(&config, &shared, Client::new(transport.clone())?)?;
    let rewrites: Arc<[UrlRewrite]> = settings.proxy.url_rewrites.clone().into();
    let gateway = move |_worker: usize| -> anyhow::Result<_> {
        let client = Client::new(transport.clone())?;
        let gateway = shared.clone().transport(client).build()?;
        Ok(rewriting(gateway, rewrites.clone()))
    };

    // Sockets.
    let proxy = Proxy {
        listener: listener(settings),
        workers: workers(settings),
        drain,
        min_drain: settings.shutdown.min_drain,
    }
    .bind()?;
    let side = metrics_listener(settings, metrics, &config)?;
    let made_up = made_up_key(settings, source.is_embedded)?;
    let admin = match source.store {
        Some(store) => {
            let admin = Admin::over(store)
                .config(config.clone())
                .limits(limits.status());
            admin_listener(settings, admin, made_up.as_ref(), for_admin)?
        }
        None => None,
    };
    let listeners = Started {
        proxy: proxy.addr(),
        admin: admin.as_ref().map(Aside::addr),
        metrics: side.as_ref().map(Aside::addr),
        admin_key: made_up.as_ref().and_then(|made_up| made_up.key.clone()),
    };
    let (follow, keeper) = (source.follow, source.keeper);

    // Serve, follow the resources, heed signals.
    let ended = runtime.block_on(async {
        let shutdown = Shutdown::new();
        let signals = Signals::take()?;
        let reload = follow.reload();
        let serving = async {
            started(&listeners);
            if let Some(Err(error)) = made_up.as_ref().map(MadeUp::told) {
                tracing::error!(%error, "the admin key cannot be remembered: the next start makes up another");
            }
            proxy.run(gateway, shutdown.clone()).await
        };
        let serving = caches.beside(limits.beside(serving));
        tokio::select! {
            ended = serving => ended,
            () = follow.run(&config, &counts) => unreachable!("following never ends"),
            () = until_drain(checks, &shutdown) => unreachable!("checking never ends"),
            () = keep(keeper.as_ref()) => unreachable!("keeping never ends"),
            () = signals.watch(shutdown.clone(), reload) => unreachable!("signals never end"),
        }
    })?;
    if let Some(keeper) = &keeper {
        keeper.finish();
    }
    tracing::info!(?ended, "stopped");
    drop(flush);
    Ok(())
}

/// What checks models and replicas in the background.
fn checks(
    config: &Config,
    shared: &GatewayBuilder,
    client: Client,
) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    let models = shared.clone().transport(client.clone()).checks()?;
    let replicas = replicas::checks(config.clone(), client);
    Ok(async {
        tokio::join!(models.run(), replicas);
    })
}

/// Goes on with what is done beside until the process drains, and does nothing from then on.
async fn until_drain(beside: impl Future<Output = ()>, shutdown: &Shutdown) {
    tokio::select! {
        () = beside => {}
        () = shutdown.begun() => {}
    }
    std::future::pending::<()>().await;
}

/// What explains requests as a gateway with these settings would serve them that has just started.
///
/// # Errors
///
/// When the resources cannot be read.
pub(crate) async fn explainer(settings: &Settings) -> anyhow::Result<Explainer> {
    let config = empty_config(settings);
    let counts = Metrics::new(metrics_settings(settings)).config();
    let source = load(settings, Resources::Settings, (&config, &counts)).await?;
    config.apply(source.first);
    let gateway = Gateway::builder(config).settings(edge_settings(settings));
    Ok(Explainer::new(gateway))
}

fn empty_config(settings: &Settings) -> Config {
    known().upstream(upstream_settings(settings)).build()
}

/// A configuration that knows what this program knows.
pub(crate) fn known() -> ConfigBuilder {
    Config::builder()
        .providers(aisix_providers::registry())
        .hooks(aisix_hooks::hooks())
}

/// Keeps what is served, if it is to be kept. Never ends.
async fn keep(keeper: Option<&Keeper>) {
    match keeper {
        Some(keeper) => keeper.run().await,
        None => std::future::pending().await,
    }
}

/// Who watches, and what writes the rest of the access log when it is dropped.
fn observers(settings: &Settings, metrics: &Metrics) -> anyhow::Result<(Observers, Option<Flush>)> {
    let mut observers = Observers::new();
    if settings.observability.metrics.prometheus.enabled {
        observers.push(Arc::new(metrics.clone()));
    }
    let mut flush = None;
    if settings.observability.access_log {
        let (access_log, guard) = AccessLog::new(io::stdout())?;
        observers.push(Arc::new(access_log));
        flush = Some(guard);
    }
    Ok((observers, flush))
}

/// Serves metrics and status on the side, if the settings want it.
fn metrics_listener(
    settings: &Settings,
    metrics: Metrics,
    config: &Config,
) -> anyhow::Result<Option<Aside>> {
    let prometheus = &settings.observability.metrics.prometheus;
    if !prometheus.enabled {
        return Ok(None);
    }
    let answer = answers(metrics, &prometheus.path, config);
    let listener = ListenerSettings::new(prometheus.addr);
    aside("metrics", listener, get_only(answer)).map(Some)
}

/// Serves administrators on the side, if the settings want it.
fn admin_listener(
    settings: &Settings,
    builder: AdminBuilder,
    made_up: Option<&MadeUp>,
    gateway: GatewayBuilder,
) -> anyhow::Result<Option<Aside>> {
    let Some(admin) = &settings.admin else {
        return Ok(None);
    };
    let client = Client::new(transport_settings(settings))?;
    let explainer = Explainer::new(gateway.clone());
    let gateway = gateway.transport(client).build()?;
    let configured = admin.keys.iter().map(|key| KeyHash::of(key.expose()));
    let keys = configured.chain(made_up.map(|made_up| made_up.hash));
    let service = builder
        .keys(AdminKeys::hashed(keys))
        .gateway(gateway)
        .explainer(explainer)
        .build();
    let listener = ListenerSettings {
        tls: admin.tls.clone().map(tls_files),
        ..ListenerSettings::new(admin.addr)
    };
    aside("admin", listener, service).map(Some)
}

/// The admin key of a store that is ours, unless keys are configured.
fn made_up_key(settings: &Settings, is_embedded: bool) -> anyhow::Result<Option<MadeUp>> {
    let admin = settings.admin.as_ref().filter(|_| is_embedded);
    admin
        .filter(|admin| admin.keys.is_empty())
        .map(|_| MadeUp::of(&settings.data_dir))
        .transpose()
}

/// Loads the resources for the first time; what comes later is to be followed.
async fn load(
    settings: &Settings,
    resources: Resources,
    served: (&Config, &ConfigMetrics),
) -> anyhow::Result<Source> {
    if let (Resources::Settings, Some(etcd)) = (&resources, &settings.etcd) {
        let kept = settings.snapshot_cache_path.clone();
        return in_etcd(etcd, kept, served).await;
    }
    match (resources, &settings.resources_file) {
        (Resources::Memory(entries), _) => Ok(Source {
            first: Some(Change::Reset(entries)),
            follow: Follow::Nothing,
            store: None,
            is_embedded: false,
            keeper: None,
        }),
        (Resources::Settings, Some(path)) => {
            let place = path.display();
            let mirror = Mirror::new(format!("resources come from {place}: change them there"));
            let (first, follow) = Follow::file(path, mirror.clone(), served.0).await?;
            Ok(Source {
                first: Some(first),
                follow,
                store: Some(Arc::new(mirror)),
                is_embedded: false,
                keeper: None,
            })
        }
        (Resources::Settings, None) => {
            let store = Embedded::open(&settings.data_dir)?;
            let named = || status::Source {
                name: "embedded",
                ..status::Source::default()
            };
            let (first, follow) = Follow::store(store.changes(), Arc::new(named), 1).await?;
            Ok(Source {
                first: Some(first),
                follow,
                store: Some(Arc::new(store)),
                is_embedded: true,
                keeper: None,
            })
        }
    }
}

/// Loads the resources of a cluster; while it is away, those that were known last, if they are kept.
#[cfg(feature = "etcd")]
async fn in_etcd(
    etcd: &settings::Etcd,
    kept: Option<PathBuf>,
    (config, metrics): (&Config, &ConfigMetrics),
) -> anyhow::Result<Source> {
    /// How often it is tried at the start when there is nothing to serve.
    const ATTEMPTS: usize = 5;

    let store = crate::stores::etcd(etcd)?;
    let named = etcd_named(&store);
    // Served first even if etcd answers, for it may have what is not good.
    let root = store.root().to_owned();
    let keeper = kept.map(|path| Keeper::restore(path, root, config, metrics));
    let changes = store.changes();
    let (first, follow) = if keeper.as_ref().is_some_and(Keeper::serves) {
        let (attempts, silence) = (etcd.endpoints.len(), etcd.connect_timeout);
        let (first, follow) = Follow::store_or_later(changes, named, attempts, silence).await?;
        if let Err(why) = &first {
            resources::failed(config, metrics, why);
            tracing::warn!("the last known configuration is served until etcd is back");
        }
        (first.ok(), follow)
    } else {
        let (first, follow) = Follow::store(changes, named, ATTEMPTS).await?;
        (Some(first), follow)
    };
    Ok(Source {
        first,
        follow,
        store: Some(Arc::new(store)),
        is_embedded: false,
        keeper,
    })
}

/// What the status says of etcd.
#[cfg(feature = "etcd")]
fn etcd_named(store: &aisix_sources::etcd::Etcd) -> resources::Named {
    let store = store.clone();
    Arc::new(move || {
        let standing = store.standing();
        status::Source {
            name: "etcd",
            connected: Some(standing.is_connected),
            observed_revision: standing.revision,
            observed_at: standing.heard_at,
            ..status::Source::default()
        }
    })
}

#[cfg(not(feature = "etcd"))]
async fn in_etcd(
    etcd: &settings::Etcd,
    _kept: Option<PathBuf>,
    _served: (&Config, &ConfigMetrics),
) -> anyhow::Result<Source> {
    let endpoints = etcd.endpoints.join(", ");
    anyhow::bail!("`etcd.endpoints` ({endpoints}) needs a build with the feature `etcd`")
}

/// What the metrics listener answers.
fn answers(
    metrics: Metrics,
    path: &str,
    config: &Config,
) -> impl Fn(&http::Request<()>) -> http::Response<Body> + Send + Sync + 'static {
    let (path, config, counts) = (path.to_owned(), config.clone(), metrics.config());
    move |request| {
        let (status, content_type, body) = match request.uri().path() {
            asked if asked == path => {
                resources::measure(&config, &counts);
                (200, metrics::CONTENT_TYPE, metrics.render())
            }
            "/status/config" => (
                200,
                "application/json",
                config.status().to_json().to_string(),
            ),
            "/status/models" => (
                200,
                "application/json",
                models::health::to_json(&config.current()).to_string(),
            ),
            "/status/ready" if config.current().is_loaded() => (200, "text/plain", "ok".to_owned()),
            "/status/ready" => (503, "text/plain", "no configuration available".to_owned()),
            _ => (404, "text/plain", "no such path\n".to_owned()),
        };
        http::Response::builder()
            .status(status)
            .header(http::header::CONTENT_TYPE, content_type)
            .body(Body::from(body))
            .expect("status and header are literals")
    }
}

/// Rewrites paths before anybody looks at them.
fn rewriting(gateway: Gateway, rewrites: Arc<[UrlRewrite]>) -> impl HttpService {
    gateway.map_request(move |mut request: http::Request<Body>| {
        if !rewrites.is_empty()
            && let Some(path) = UrlRewrite::apply(&rewrites, request.uri().path())
        {
            let mut parts = request.uri().clone().into_parts();
            let query = request.uri().query().map(|query| format!("?{query}"));
            let target = format!("{path}{}", query.unwrap_or_default());
            parts.path_and_query = target.parse().ok();
            if let Ok(uri) = http::Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
        request
    })
}

fn upstream_settings(settings: &Settings) -> upstream::Settings {
    upstream::Settings {
        timeout: settings.upstream.timeout,
        stream_timeout: settings.upstream.stream_timeout,
        head_timeout: settings.upstream.head_timeout,
        first_token_timeout: settings.upstream.first_token_timeout,
        heartbeat: settings.downstream.sse_keepalive_interval,
        retries: settings.upstream.retries,
    }
}

fn transport_settings(settings: &Settings) -> transport::Settings {
    let upstream = &settings.upstream;
    let keepalive = upstream.tcp_keepalive;
    transport::Settings {
        connect_timeout: upstream.connect_timeout,
        keepalive: keepalive.map(|keepalive| keepalive.idle),
        keepalive_interval: keepalive.map(|keepalive| keepalive.interval),
        keepalive_retries: keepalive.map(|keepalive| keepalive.retries),
        pool_idle_timeout: upstream.pool_idle_timeout,
        pool_max_idle_per_host: upstream.pool_max_idle_per_host,
        ca_file: upstream.tls.ca_file.clone(),
        client_cert: upstream
            .tls
            .client
            .clone()
            .map(|client| (client.cert_file, client.key_file)),
        verify: upstream.tls.verify,
        proxy_from_env: true,
    }
}

fn edge_settings(settings: &Settings) -> edge::Settings {
    edge::Settings {
        body_limit: settings.proxy.request_body_limit,
        real_ip: settings.proxy.real_ip.clone(),
        request_id: settings.proxy.request_id.clone(),
    }
}

fn metrics_settings(settings: &Settings) -> MetricsSettings {
    let metrics = &settings.observability.metrics;
    let rules = metrics.client_type_rules.iter();
    MetricsSettings {
        buckets: Buckets {
            request_e2e_latency: metrics.buckets.request_e2e_latency.clone(),
            request_ttft: metrics.buckets.request_ttft.clone(),
            guardrail_latency: metrics.buckets.guardrail_latency.clone(),
        },
        client_type_rules: rules
            .filter_map(|rule| ClientTypeRule::new(rule.pattern.as_str(), &rule.client).ok())
            .collect(),
        ..MetricsSettings::default()
    }
}

fn listener(settings: &Settings) -> ListenerSettings {
    let tls = settings.proxy.tls.clone();
    ListenerSettings {
        tls: tls.map(tls_files),
        idle_timeout: settings.downstream.idle_timeout,
        ..ListenerSettings::new(settings.proxy.addr)
    }
}

fn tls_files(tls: ServerTls) -> TlsFiles {
    TlsFiles {
        cert_file: tls.cert_file,
        key_file: tls.key_file,
    }
}

fn workers(settings: &Settings) -> Workers {
    match settings.proxy.thread_per_core {
        true => Workers::PerCore(settings.proxy.workers),
        false => Workers::Shared,
    }
}
