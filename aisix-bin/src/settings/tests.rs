use std::{fs, num::NonZeroUsize, path::PathBuf, time::Duration};

use aisix_core::config::Secret;

use super::{problem::SettingsError, *};

const MINIMAL: &str = "resources_file: r.yaml\nproxy: {addr: '0.0.0.0:3000'}\n";

type Outcome = Result<(Settings, Vec<Warning>), Vec<SettingsError>>;

fn load_as(name: &str, text: &str, variables: &[(&str, &str)]) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    Settings::load(&path, owned(variables))
}

fn owned(variables: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    variables.iter().map(owned).collect::<Vec<_>>().into_iter()
}

#[track_caller]
fn settings(text: &str) -> Settings {
    with_env(text, &[]).0
}

#[track_caller]
fn with_env(text: &str, variables: &[(&str, &str)]) -> (Settings, Vec<String>) {
    match load_as("c.yaml", text, variables) {
        Ok((settings, warnings)) => {
            let warnings = warnings.iter().map(ToString::to_string).collect();
            (settings, warnings)
        }
        Err(errors) => panic!("{errors:#?}"),
    }
}

#[track_caller]
fn errors_with_env(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let errors = load_as("c.yaml", text, variables).expect_err("the settings are wrong");
    errors.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn errors(more: &str) -> Vec<String> {
    errors_with_env(&format!("{MINIMAL}{more}"), &[])
}

#[test]
fn what_is_not_said_has_its_default() {
    let Settings {
        resources_file,
        etcd,
        snapshot_cache_path,
        data_dir,
        admin,
        proxy,
        observability,
        upstream,
        downstream,
        cache,
        ratelimit,
        shutdown,
    } = settings(MINIMAL);
    assert!(cache.redis.is_none());
    assert!(ratelimit.redis.is_none());
    assert_eq!(ratelimit.concurrency_ttl, Duration::from_secs(300));
    let secs = |secs| Some(Duration::from_secs(secs));
    assert_eq!(resources_file, Some(PathBuf::from("r.yaml")));
    assert!(etcd.is_none());
    assert_eq!(snapshot_cache_path, None);
    assert_eq!(data_dir, PathBuf::from("aisix-data"));
    assert!(
        admin.is_none(),
        "with a file, administrators are to be asked for"
    );
    assert_eq!(proxy.addr.to_string(), "0.0.0.0:3000");
    assert_eq!(proxy.request_body_limit, 0);
    assert_eq!(proxy.tls, None);
    assert!(proxy.real_ip.trusted_proxies.is_empty());
    assert_eq!(proxy.real_ip.header, "x-forwarded-for");
    assert_eq!(proxy.request_id.accept_headers, ["x-aisix-request-id"]);
    assert_eq!(proxy.thread_per_core, cfg!(target_os = "linux"));
    assert!(proxy.url_rewrites.is_empty());
    assert_eq!(observability.service_name, "aisix");
    assert_eq!(observability.log_level, "info");
    assert!(observability.access_log);
    let prometheus = observability.metrics.prometheus;
    assert!(prometheus.enabled);
    assert_eq!(prometheus.path, "/metrics");
    assert_eq!(prometheus.addr.to_string(), "0.0.0.0:9090");
    assert_eq!(observability.metrics.buckets.request_ttft.len(), 12);
    assert_eq!(observability.metrics.buckets.guardrail_latency.len(), 14);
    assert_eq!(upstream.timeout, secs(6_000));
    assert_eq!(upstream.stream_timeout, None);
    assert_eq!(upstream.connect_timeout, secs(5));
    assert_eq!(upstream.head_timeout, None);
    assert_eq!(upstream.first_token_timeout, None);
    let keepalive = upstream.tcp_keepalive.expect("on");
    assert_eq!(Some(keepalive.idle), secs(60));
    assert_eq!(Some(keepalive.interval), secs(30));
    assert_eq!(keepalive.retries, 5);
    assert_eq!(upstream.pool_idle_timeout, secs(30));
    assert_eq!(upstream.pool_max_idle_per_host, None);
    assert_eq!(upstream.retries, 2);
    assert!(upstream.tls.verify);
    assert_eq!(downstream.idle_timeout, None);
    assert_eq!(downstream.sse_keepalive_interval, secs(15));
    assert_eq!(Some(shutdown.min_drain), secs(30));
}

#[test]
fn every_key_of_the_file_is_read() {
    let settings = settings(
        r"
resources_file: /etc/r.yaml
proxy:
  addr: '[::1]:8080'
  request_body_limit_bytes: 1024
  tls: {cert_file: c, key_file: k}
  real_ip: {trusted_proxies: [10.0.0.0/8, '::1'], recursive: true, header: X-Real-IP}
  request_id: {accept_headers: []}
  thread_per_core: false
  workers: 3
  url_rewrites: [{name: old, match: '^/old/(?<rest>.*)$', rewrite: '/v1/${rest}'}]
observability:
  service_name: me
  log_level: debug
  access_log: false
  metrics:
    prometheus: {enabled: false, path: /m, addr: '127.0.0.1:1'}
    otlp: {enabled: false, endpoint: x}
    client_type_rules: [{pattern: '^curl', client: curl}]
    buckets: {request_e2e_latency: [1, 2.5], request_ttft: [1], guardrail_latency: [1], a2a_ttfb: [1]}
  tracing: {otlp: {enabled: false, endpoint: x, sample_ratio: 0.5}}
cache: {backend: memory}
ratelimit: {backend: memory, concurrency_ttl_secs: 5}
upstream:
  timeout_ms: 0
  stream_timeout_ms: 1
  connect_timeout_ms: 2
  head_timeout_ms: 3
  first_token_timeout_ms: 4
  tcp_keepalive_secs: 0
  tcp_keepalive_interval_secs: 6
  tcp_keepalive_retries: 7
  pool_idle_timeout_secs: 8
  pool_max_idle_per_host: 9
  retries: 0
  tls: {ca_file: a, client_cert_file: c, client_key_file: k, verify: false}
downstream: {idle_timeout_secs: 10, sse_keepalive_interval_secs: 0}
shutdown: {min_drain_secs: 11}
admin: {enabled: false, addr: '127.0.0.1:3001', admin_keys: [x]}
managed: {enabled: false}
",
    );
    let proxy = &settings.proxy;
    assert_eq!(proxy.addr.to_string(), "[::1]:8080");
    assert_eq!(proxy.request_body_limit, 1024);
    assert_eq!(
        proxy.tls.as_ref().expect("given").key_file,
        PathBuf::from("k")
    );
    assert_eq!(proxy.real_ip.trusted_proxies.len(), 2);
    assert!(proxy.real_ip.recursive);
    assert_eq!(proxy.real_ip.header, "x-real-ip");
    assert!(proxy.request_id.accept_headers.is_empty());
    assert!(!proxy.thread_per_core);
    assert_eq!(proxy.workers.get(), 3);
    assert_eq!(proxy.url_rewrites[0].name.as_deref(), Some("old"));
    assert_eq!(
        UrlRewrite::apply(&proxy.url_rewrites, "/old/models").as_deref(),
        Some("/v1/models")
    );
    assert_eq!(UrlRewrite::apply(&proxy.url_rewrites, "/v1/models"), None);
    let metrics = &settings.observability.metrics;
    assert!(!metrics.prometheus.enabled);
    assert!(metrics.client_type_rules[0].pattern.is_match("curl/8"));
    assert_eq!(metrics.client_type_rules[0].client, "curl");
    assert_eq!(metrics.buckets.request_e2e_latency, [1.0, 2.5]);
    let millis = |millis| Some(Duration::from_millis(millis));
    let upstream = &settings.upstream;
    assert_eq!(upstream.timeout, None);
    assert_eq!(upstream.stream_timeout, millis(1));
    assert_eq!(upstream.connect_timeout, millis(2));
    assert_eq!(upstream.head_timeout, millis(3));
    assert_eq!(upstream.first_token_timeout, millis(4));
    assert_eq!(upstream.tcp_keepalive, None);
    assert_eq!(upstream.pool_max_idle_per_host, Some(9));
    assert_eq!(upstream.retries, 0);
    assert!(upstream.tls.client.is_some() && !upstream.tls.verify);
    assert_eq!(settings.downstream.sse_keepalive_interval, None);
    assert_eq!(settings.shutdown.min_drain, Duration::from_secs(11));
}

#[test]
fn toml_and_json_say_the_same_as_yaml() {
    let toml = "resources_file = 'r.yaml'\n[proxy]\naddr = '0.0.0.0:3000'\nworkers = 2";
    let json = r#"{"resources_file": "r.yaml", "proxy": {"addr": "0.0.0.0:3000", "workers": 2}}"#;
    for (name, text) in [("c.toml", toml), ("c.json", json)] {
        let (settings, _) = load_as(name, text, &[]).expect(name);
        assert_eq!(settings.proxy.workers.get(), 2, "{name}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_one_error_without_its_text() {
    for (name, text, expected) in [
        ("c.yaml", "a: [sk-hidden", "is not valid YAML: "),
        ("c.yaml", "a: 1\na: 2", "is not valid YAML: "),
        (
            "c.toml",
            "x = 1\na = sk-hidden",
            "is not valid TOML in line 2: ",
        ),
        (
            "c.json",
            "{\"sk-hidden",
            "is not valid JSON: line 1, column 11",
        ),
        ("c.ini", "", "must end in .yaml, .yml, .toml or .json"),
        ("c.yaml", "[]", "must be a mapping"),
    ] {
        let errors = load_as(name, text, &[]).expect_err(name);
        let shown = errors[0].to_string();
        assert_eq!(errors.len(), 1, "{shown}");
        assert!(shown.contains(expected), "{shown}");
        assert!(!shown.contains("sk-hidden"), "{shown}");
    }
    let missing = Settings::load("/nowhere/c.yaml".as_ref(), owned(&[])).unwrap_err();
    let shown = missing[0].to_string();
    assert!(
        shown.starts_with("/nowhere/c.yaml cannot be read: "),
        "{shown}"
    );
}

#[test]
fn the_environment_wins_over_the_file() {
    let (settings, warnings) = with_env(
        &format!("{MINIMAL}upstream: {{retries: 1, timeout_ms: 5}}"),
        &[
            ("AISIX_PROXY__ADDR", "127.0.0.1:4000"),
            ("AISIX_PROXY__WORKERS", "7"),
            (
                "AISIX_PROXY__REAL_IP__TRUSTED_PROXIES",
                "10.0.0.0/8, 192.0.2.1",
            ),
            ("AISIX_PROXY__REQUEST_ID__ACCEPT_HEADERS", ""),
            (
                "AISIX_PROXY__URL_REWRITES",
                r#"[{"match": "^/a", "rewrite": "/b"}]"#,
            ),
            ("AISIX_OBSERVABILITY__ACCESS_LOG", "false"),
            ("AISIX_OBSERVABILITY__SERVICE_NAME", "123"),
            (
                "AISIX_OBSERVABILITY__METRICS__BUCKETS__REQUEST_TTFT",
                "0.5,1",
            ),
            ("AISIX_UPSTREAM__RETRIES", "4"),
            ("PATH", "/bin"),
        ],
    );
    assert_eq!(warnings, [""; 0]);
    assert_eq!(settings.proxy.addr.to_string(), "127.0.0.1:4000");
    assert_eq!(settings.proxy.workers.get(), 7);
    assert_eq!(settings.proxy.real_ip.trusted_proxies.len(), 2);
    assert!(settings.proxy.request_id.accept_headers.is_empty());
    assert_eq!(settings.proxy.url_rewrites.len(), 1);
    assert!(!settings.observability.access_log);
    assert_eq!(settings.observability.service_name, "123");
    let buckets = settings.observability.metrics.buckets;
    assert_eq!(buckets.request_ttft, [0.5, 1.0]);
    assert_eq!(settings.upstream.retries, 4);
    assert_eq!(settings.upstream.timeout, Some(Duration::from_millis(5)));
}

#[test]
fn the_environment_alone_is_enough() {
    let variables = [
        ("AISIX_RESOURCES_FILE", "r.yaml"),
        ("AISIX_PROXY__ADDR", "127.0.0.1:4000"),
    ];
    let (settings, _) = Settings::local(owned(&variables)).expect("complete");
    assert_eq!(settings.proxy.addr.port(), 4000);
}

#[test]
fn an_error_names_the_variable_that_brought_it() {
    let variables = [
        ("AISIX_PROXY__WORKERS", "0"),
        ("AISIX_PROXY__URL_REWRITES", "/a -> /b"),
        ("AISIX_PROXY__REAL_IP__TRUSTED_PROXIES", "10.0.0.0/8,x"),
    ];
    assert_eq!(
        errors_with_env(MINIMAL, &variables),
        [
            "`proxy.url_rewrites` (set by AISIX_PROXY__URL_REWRITES) must be a JSON array",
            "`proxy.real_ip.trusted_proxies[1]` (set by AISIX_PROXY__REAL_IP__TRUSTED_PROXIES) must \
             be an IP address or a network such as 10.0.0.0/8",
            "`proxy.workers` (set by AISIX_PROXY__WORKERS) must be at least 1",
        ]
    );
}

#[test]
fn variables_without_effect_are_warnings() {
    let (_, warnings) = with_env(
        MINIMAL,
        &[
            ("AISIX_CONFIG", "c.yaml"),
            ("AISIX_CONFIG_PATH", "c.yaml"),
            ("AISIX_KEY", "sk-private"),
            ("AISIX_ADMIN_KEY", "admin-private"),
            ("AISIX_DP_BUDGET_STALE_MAX_SECONDS", "60"),
            ("AISIX_E2E_X", "1"),
            ("AISIX_PROXY__COLOUR", "red"),
            ("AISIX_PROXY", "x"),
            ("AISIX_SHUTDOWN", "x"),
            ("AISIX_RESOURCES_FILE__X", "x"),
            ("AISIX_NEW__BLOCK__A", "x"),
            ("AISIX_", "x"),
        ],
    );
    let mut named: Vec<_> = warnings
        .iter()
        .map(|warning| {
            let (_, rest) = warning.split_once("variable ").expect("about a variable");
            rest.split_once(' ').expect("has no effect").0
        })
        .collect();
    named.sort_unstable();
    assert_eq!(
        named,
        [
            "AISIX_",
            "AISIX_DP_BUDGET_STALE_MAX_SECONDS",
            "AISIX_E2E_X",
            "AISIX_NEW__BLOCK__A",
            "AISIX_PROXY",
            "AISIX_PROXY__COLOUR",
            "AISIX_RESOURCES_FILE__X",
            "AISIX_SHUTDOWN",
        ]
    );
}

#[test]
fn unknown_keys_of_the_file_are_errors_with_the_nearest_known_key() {
    assert_eq!(
        errors("upstraem: {retries: 1}\nupstream: {timeout: 1, tls: {verfiy: true}}\nxyz: 1"),
        [
            "`upstream.tls.verfiy` is not a known key; did you mean `upstream.tls.verify`?",
            "`upstream.timeout` is not a known key; did you mean `upstream.timeout_ms`?",
            "`upstraem` is not a known key; did you mean `upstream`?",
            "`xyz` is not a known key",
        ]
    );
}

#[test]
fn keys_of_later_revisions_are_warnings() {
    let (_, warnings) = with_env(
        "
resources_file: r.yaml
proxy: {addr: '0.0.0.0:3000', listeners: [x]}
observability: {debug: {enabled: true}, heap_profiling: true, metrics: {labels: {}}}
managed: {snapshot_cache_enabled: true}
",
        &[],
    );
    assert_eq!(
        warnings,
        [
            "proxy.listeners",
            "observability.metrics.labels",
            "observability.debug",
            "observability.heap_profiling",
            "managed.snapshot_cache_enabled",
        ]
        .map(|key| format!("`{key}` belongs to a later revision and has no effect"))
    );
}

#[test]
fn the_last_known_resources_of_a_cluster_are_kept_where_it_says() {
    let etcd = "etcd: {endpoints: ['http://e:2379']}\n";
    for (path, expected) in [
        ("/a/b.json", Some("/a/b.json")),
        ("''", None),
        ("null", None),
    ] {
        let text = format!(
            "proxy: {{addr: '0.0.0.0:1'}}\nadmin: {{enabled: false}}\n{etcd}managed: {{snapshot_cache_path: {path}}}\n"
        );
        let (settings, warnings) = with_env(&text, &[]);
        assert_eq!(settings.snapshot_cache_path, expected.map(PathBuf::from));
        assert!(warnings.is_empty(), "{warnings:?}");
    }
    let variable = ("AISIX_MANAGED__SNAPSHOT_CACHE_PATH", "/a/b.json");
    let (settings, warnings) = with_env(MINIMAL, &[variable]);
    assert_eq!(settings.snapshot_cache_path, Some("/a/b.json".into()));
    let told = "`managed.snapshot_cache_path` is for resources in etcd, and has no effect";
    assert_eq!(warnings, [told]);
}

#[test]
fn settings_of_what_is_not_served_yet_are_warnings() {
    let (_, warnings) = with_env(
        &format!(
            "{MINIMAL}observability: {{metrics: {{buckets: {{a2a_ttfb: [1]}}}}}}\n\
             bedrock_endpoint_url: http://b"
        ),
        &[],
    );
    assert_eq!(
        warnings,
        [
            "observability.metrics.buckets.a2a_ttfb",
            "bedrock_endpoint_url",
        ]
        .map(|key| format!("`{key}` is for what is not supported yet, and has no effect"))
    );
}

#[test]
fn what_a_later_version_serves_is_refused_with_a_word() {
    for (more, expected) in [
        (
            "managed: {enabled: true}",
            "`managed.enabled` is not supported yet",
        ),
        (
            "observability: {metrics: {otlp: {enabled: true}}}",
            "`observability.metrics.otlp.enabled` is not supported yet",
        ),
        (
            "observability: {tracing: {otlp: {enabled: true}}}",
            "`observability.tracing.otlp.enabled` is not supported yet",
        ),
    ] {
        let errors = errors(more);
        assert!(errors.contains(&expected.to_owned()), "{more}: {errors:?}");
    }
}

#[test]
fn resources_do_not_come_from_two_sources() {
    assert_eq!(
        errors("etcd: {endpoints: ['http://e']}"),
        ["`resources_file` and `etcd.endpoints` exclude each other"]
    );
    assert_eq!(
        errors_with_env("resources_file: ''\nproxy: {addr: '0.0.0.0:1'}", &[]),
        ["`resources_file` must not be empty"]
    );
    assert_eq!(
        errors_with_env("managed: {enabled: true}\nproxy: {addr: '0.0.0.0:1'}", &[]),
        ["`managed.enabled` is not supported yet"]
    );
}

#[test]
fn without_a_source_resources_are_kept_here_and_administered_from_this_machine() {
    let settings = settings("proxy: {addr: '0.0.0.0:1'}");
    assert_eq!(settings.resources_file, None);
    assert_eq!(settings.data_dir, PathBuf::from("aisix-data"));
    let admin = settings.admin.expect("there is somebody to write");
    assert_eq!(admin.addr.to_string(), "127.0.0.1:3001");
    assert!(admin.keys.is_empty() && admin.tls.is_none());
    assert_eq!(
        errors_with_env("data_dir: /var/lib/aisix", &[]),
        ["`proxy.addr` is required"]
    );

    let (local, warnings) = Settings::local(owned(&[("AISIX_DATA_DIR", "/d")])).expect("complete");
    assert_eq!(local.proxy.addr.to_string(), "127.0.0.1:3000");
    assert_eq!(local.data_dir, PathBuf::from("/d"));
    let prometheus = local.observability.metrics.prometheus;
    assert_eq!(prometheus.addr.to_string(), "127.0.0.1:9090");
    assert!(local.admin.is_some() && warnings.is_empty());
}

#[test]
fn administrators_have_a_listener_and_keys() {
    let admin = "admin: {addr: '127.0.0.1:5', admin_keys: [' one ', two], tls: {cert_file: c, key_file: k}}";
    let settings = settings(&format!("{MINIMAL}{admin}"));
    let admin = settings.admin.expect("it was asked for");
    assert_eq!(admin.addr.port(), 5);
    let keys: Vec<_> = admin.keys.iter().map(Secret::expose).collect();
    assert_eq!(keys, ["one", "two"]);
    assert!(admin.tls.is_some());

    assert_eq!(
        errors("admin: {addr: '127.0.0.1:5'}"),
        ["`admin.admin_keys` needs at least one key; or set `admin.enabled` to false"]
    );
    assert_eq!(
        errors("admin: {admin_keys: [a, ' '], key: x}"),
        [
            "`admin.admin_keys[1]` must not be empty",
            "`admin.key` is not a known key",
        ]
    );
    let by_variables = [("AISIX_ADMIN__ADMIN_KEYS", "a, b")];
    let (settings, _) = with_env(MINIMAL, &by_variables);
    assert_eq!(settings.admin.expect("asked for").keys.len(), 2);
    let (settings, _) = with_env(
        "proxy: {addr: '0.0.0.0:1'}",
        &[("AISIX_ADMIN__ENABLED", "false")],
    );
    assert!(settings.admin.is_none());
}

#[test]
fn a_file_of_the_first_generation_is_read_with_its_meaning() {
    let (settings, warnings) = with_env(
        r"
deployment:
  etcd: {host: ['http://a:1', 'http://b:2'], prefix: /mine, timeout: 30, user: me, password: hidden}
  admin: {admin_key: [{key: one}, {key: two}]}
server:
  proxy: {listen: '1.2.3.4:5', tls: {enabled: true, cert_file: c, key_file: k}, cors: {enabled: false}}
  admin: {listen: '[::1]:6', tls: {enabled: false, cert_file: x}}
",
        &[],
    );
    let etcd = settings.etcd.expect("there");
    assert_eq!(etcd.endpoints, ["http://a:1", "http://b:2"]);
    assert_eq!((etcd.prefix.as_str(), etcd.env_id.as_str()), ("/mine", ""));
    let time = Duration::from_secs(30);
    assert_eq!((etcd.connect_timeout, etcd.request_timeout), (time, time));
    let (user, password) = etcd.user.expect("given");
    assert_eq!((user.as_str(), password.expose()), ("me", "hidden"));
    let admin = settings.admin.expect("there");
    assert_eq!(admin.addr.to_string(), "[::1]:6");
    let keys: Vec<&str> = admin.keys.iter().map(Secret::expose).collect();
    assert_eq!(keys, ["one", "two"]);
    assert_eq!(admin.tls, None, "it is switched off");
    assert_eq!(settings.proxy.addr.to_string(), "1.2.3.4:5");
    let tls = settings.proxy.tls.expect("it is switched on");
    assert_eq!((tls.cert_file, tls.key_file), ("c".into(), "k".into()));
    assert!(!settings.observability.metrics.prometheus.enabled);
    assert_eq!(settings.shutdown.min_drain, Duration::ZERO);

    let [told] = &warnings[..] else {
        panic!("{warnings:#?}");
    };
    for part in [
        "is of the first generation; today `deployment.etcd.host` is `etcd.endpoints`, ",
        "`deployment.etcd.password` is `etcd.password_env`",
        "`server.proxy.tls` is `proxy.tls`, without `enabled`",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(
        !told.contains("hidden") && !told.contains("`listen`"),
        "{told}"
    );
}

#[test]
fn an_empty_block_of_the_first_generation_is_all_defaults() {
    for text in [
        "deployment:\n",
        "deployment: {etcd: {}}",
        "server: {proxy: {}}",
        "server: {admin: {tls: {}}}",
    ] {
        let (settings, warnings) = with_env(text, &[]);
        let etcd = settings.etcd.expect("there");
        assert_eq!(etcd.endpoints, ["http://127.0.0.1:2379"]);
        assert_eq!(etcd.prefix, "/aisix");
        assert_eq!(etcd.connect_timeout, Duration::from_secs(5));
        assert!(etcd.user.is_none());
        assert_eq!(settings.proxy.addr.to_string(), "0.0.0.0:3000");
        assert!(settings.admin.is_none(), "nobody may administer");
        assert!(
            warnings[0].ends_with("there is no admin listener"),
            "{warnings:?}"
        );
    }
}

#[test]
fn the_earliest_form_listens_where_it_says() {
    let settings = settings(
        "listen: 0.0.0.0:7\ndeployment: {admin: {listen: '127.0.0.1:8', admin_key: [{key: a}]}}",
    );
    assert_eq!(settings.proxy.addr.to_string(), "0.0.0.0:7");
    assert_eq!(
        settings.admin.expect("there").addr.to_string(),
        "127.0.0.1:8"
    );
}

#[test]
fn variables_override_the_first_generation_too() {
    let (settings, _) = with_env(
        "listen: 0.0.0.0:7",
        &[
            ("AISIX_PROXY__ADDR", "0.0.0.0:8"),
            ("AISIX_OBSERVABILITY__METRICS__PROMETHEUS__ENABLED", "true"),
        ],
    );
    assert_eq!(settings.proxy.addr.to_string(), "0.0.0.0:8");
    assert!(settings.observability.metrics.prometheus.enabled);
}

#[test]
fn every_mistake_in_the_first_generation_is_named_as_it_is_written() {
    assert_eq!(
        errors_with_env(
            r"
listen: 0.0.0.0:7
proxy: {addr: '0.0.0.0:1'}
deploymnt: {}
deployment:
  etcd: {hosts: [a], host: ['', 7], timeout: soon, user: me}
  admin: {admin_key: [{key: ' '}, {kee: a}, top-secret]}
server:
  proxy: {listen: localhost, tls: {enabled: true, cert_file: c}, cors: {enabled: true}}
  admin: {listen: '127.0.0.1:1', number: 3}
  other: {}
",
            &[],
        ),
        [
            "`proxy` is a key of today, and `deployment` one of the first generation: a file has either",
            "`deployment.etcd.host[0]` must not be empty",
            "`deployment.etcd.timeout` must be a whole number that is not negative",
            "`deployment.etcd.password` is required: a user and a password go together",
            "`deployment.etcd.hosts` is not a known key; did you mean `deployment.etcd.host`?",
            "`deployment.admin.admin_key[2]` must be a mapping",
            "`deployment.admin.admin_key[0].key` must not be empty",
            "`deployment.admin.admin_key[1].key` is required",
            "`deployment.admin.admin_key[1].kee` is not a known key; did you mean `deployment.admin.admin_key[1].key`?",
            "`server.proxy.listen` must be an address with a port, such as 0.0.0.0:3000",
            "`server.proxy.tls.key_file` is required",
            "`server.proxy.cors.enabled` is not supported yet",
            "`server.admin.number` is not a known key",
            "`server.other` is not a known key",
            "`deploymnt` is not a known key; did you mean `deployment`?",
        ]
    );
    let twice = errors_with_env(
        "listen: 0.0.0.0:7\nserver: {proxy: {listen: '0.0.0.0:8'}}",
        &[],
    );
    assert_eq!(twice, ["`listen` is given besides `server.proxy.listen`"]);
}

#[test]
fn every_mistake_of_the_proxy_is_reported_at_once() {
    assert_eq!(
        errors_with_env(
            r"
resources_file: r.yaml
proxy:
  addr: localhost
  request_body_limit_bytes: -1
  tls: {cert_file: c}
  real_ip: {trusted_proxies: [10.0.0.0/33], recursive: maybe, header: 'a b'}
  request_id: {accept_headers: [x-ok, Authorization, traceparent, 'a b']}
  workers: 0
  url_rewrites:
    - {match: '(', rewrite: /a}
    - {match: 'a*', rewrite: '/a b'}
    - {match: '^/(x)', rewrite: '/$2'}
    - {match: '^/x'}
    - 7
",
            &[]
        ),
        [
            "`proxy.addr` must be an address with a port, such as 0.0.0.0:3000",
            "`proxy.request_body_limit_bytes` must be a whole number that is not negative",
            "`proxy.tls.key_file` is required",
            "`proxy.real_ip.trusted_proxies[0]` must be an IP address or a network such as 10.0.0.0/8",
            "`proxy.real_ip.recursive` must be true or false",
            "`proxy.real_ip.header` must be the name of a header",
            "`proxy.request_id.accept_headers[3]` must be the name of a header",
            "`proxy.request_id.accept_headers[1]` may not be `authorization`",
            "`proxy.request_id.accept_headers[2]` may not be `traceparent`",
            "`proxy.workers` must be at least 1",
            "`proxy.url_rewrites[4]` must be a mapping",
            "`proxy.url_rewrites[0].match` must be a regular expression",
            "`proxy.url_rewrites[1].match` must not match an empty text",
            "`proxy.url_rewrites[1].rewrite` must not hold `?`, `#` or a space",
            "`proxy.url_rewrites[2].rewrite` names the group `2`, which `match` does not have",
            "`proxy.url_rewrites[3].rewrite` is required",
        ]
    );
}

#[test]
fn every_mistake_elsewhere_is_reported_at_once() {
    assert_eq!(
        errors(
            r"
observability:
  metrics:
    prometheus: {path: metrics}
    client_type_rules: [{pattern: '(', client: x}, {pattern: a, client: Bad}]
    buckets: {request_ttft: [], request_e2e_latency: [2, 1], guardrail_latency: [0, 1], a2a_ttfb: [x]}
upstream:
  tcp_keepalive_retries: 0
  retries: 5000000000
  tls: {client_cert_file: c}
downstream: 7
ratelimit: {backend: disk, concurrency_ttl_secs: 0}
"
        ),
        [
            "`observability.metrics.prometheus.path` must begin with `/`",
            "`observability.metrics.client_type_rules[0].pattern` must be a regular expression",
            "`observability.metrics.client_type_rules[1].client` must be at most 64 lower-case letters, \
             digits, `.`, `_` or `-`, and begin with a letter or digit",
            "`observability.metrics.buckets.request_e2e_latency` must be ascending",
            "`observability.metrics.buckets.request_ttft` must not be empty",
            "`observability.metrics.buckets.guardrail_latency` must hold positive numbers",
            "`observability.metrics.buckets.a2a_ttfb[0]` must be a number",
            "`observability.metrics.buckets.a2a_ttfb` must not be empty",
            "`upstream.tcp_keepalive_retries` must be at least 1",
            "`upstream.retries` must be at most 4294967295",
            "`upstream.tls.client_cert_file` needs `upstream.tls.client_key_file`",
            "`downstream` must be a mapping",
            "`ratelimit.backend` must be `memory` or `redis`",
            "`ratelimit.concurrency_ttl_secs` must be at least 1",
        ]
    );
}

#[test]
fn rules_and_edges_are_bounded() {
    let rules = "{pattern: a, client: a},".repeat(65);
    let pattern = "a".repeat(513);
    let edges: Vec<_> = (1..=65).map(|edge| edge.to_string()).collect();
    let edges = edges.join(",");
    assert_eq!(
        errors(&format!(
            "observability: {{metrics: {{client_type_rules: [{rules}], buckets: {{request_ttft: [{edges}]}}}}}}"
        )),
        [
            "`observability.metrics.client_type_rules` must have at most 64 rules",
            "`observability.metrics.buckets.request_ttft` must have at most 64 edges",
        ]
    );
    assert_eq!(
        errors(&format!(
            "observability: {{metrics: {{client_type_rules: [{{pattern: {pattern}, client: a}}]}}}}"
        )),
        ["`observability.metrics.client_type_rules[0].pattern` must have at most 512 bytes"]
    );
}

#[test]
fn no_message_repeats_a_value() {
    let hidden = "sk-hidden";
    let text = format!(
        "resources_file: []\nproxy: {{addr: {hidden}, workers: {hidden}, tls: {hidden}, real_ip: {{header: '{hidden} x'}}}}\nadmin: {{admin_keys: [{hidden}], enabled: {hidden}}}\nmanaged: {{enabled: {hidden}}}\ncache: {{backend: {hidden}}}\n"
    );
    let shown = errors_with_env(&text, &[("AISIX_ETCD__ENDPOINTS", hidden)]).join("\n");
    assert!(!shown.contains(hidden), "{shown}");
}

#[test]
fn a_quickstart_needs_nothing_and_is_reached_from_this_machine_only() {
    let (settings, warnings) = Settings::quickstart(owned(&[])).expect("complete");
    assert_eq!(settings.resources_file, None);
    assert!(settings.admin.is_none(), "there is nothing to write");
    assert_eq!(settings.proxy.addr.to_string(), "127.0.0.1:3000");
    let prometheus = settings.observability.metrics.prometheus;
    assert_eq!(prometheus.addr.to_string(), "127.0.0.1:9090");
    assert!(warnings.is_empty());

    let variables = [
        ("AISIX_PROXY__ADDR", "127.0.0.1:0"),
        ("AISIX_PROXY__WORKERS", "1"),
    ];
    let (settings, _) = Settings::quickstart(owned(&variables)).expect("complete");
    assert_eq!(settings.proxy.addr.port(), 0);
    assert_eq!(settings.proxy.workers, NonZeroUsize::MIN);
}

#[test]
fn etcd_is_described_in_its_block() {
    let read = |more: &str| {
        let etcd = format!("etcd: {{endpoints: ['http://e:1'], {more}}}");
        settings(&format!("proxy: {{addr: '0.0.0.0:1'}}\n{etcd}"))
    };
    let plain = read("");
    let etcd = plain.etcd.expect("it is named");
    assert_eq!(etcd.endpoints, ["http://e:1"]);
    assert_eq!((etcd.prefix.as_str(), etcd.env_id.as_str()), ("/aisix", ""));
    assert_eq!(etcd.request_timeout, Duration::from_secs(5));
    assert!(etcd.user.is_none() && etcd.tls.is_none());
    assert!(plain.admin.is_none(), "administrators are to be asked for");

    let full = read(
        "prefix: /gw, env_id: prod, user: me, password_env: PATH, dial_timeout_ms: 7, \
         tls: {ca_cert_file: a, client_cert_file: b, client_key_file: c, domain_name: d}",
    );
    let etcd = full.etcd.expect("it is named");
    assert_eq!(etcd.connect_timeout, Duration::from_millis(7));
    let (user, password) = etcd.user.expect("it is named");
    assert_eq!(
        (user.as_str(), password.expose()),
        ("me", std::env::var("PATH").unwrap().as_str())
    );
    assert_eq!(etcd.tls.expect("it is there").key_file, PathBuf::from("c"));

    for (more, expected) in [
        (
            "user: me",
            "`etcd.password_env` is required beside `etcd.user`",
        ),
        (
            "user: me, password_env: NO_SUCH_VARIABLE",
            "`etcd.password_env` names an environment variable that is not set",
        ),
        (
            "tls: {ca_cert_file: a, client_cert_file: b}",
            "`etcd.tls.client_key_file` is required",
        ),
    ] {
        let text = format!("proxy: {{addr: '0.0.0.0:1'}}\netcd: {{endpoints: [e], {more}}}");
        assert_eq!(errors_with_env(&text, &[]), [expected]);
    }
}

/// The block `ratelimit.redis` with these members.
#[track_caller]
fn redis(more: &str) -> Redis {
    let block = format!("ratelimit: {{backend: redis, redis: {{{more}}}}}");
    let settings = settings(&format!("{MINIMAL}{block}"));
    settings.ratelimit.redis.expect("it is asked for")
}

#[test]
fn redis_is_one_server_a_cluster_or_what_sentinels_say() {
    let one = redis("url: 'redis://r:1'");
    assert!(matches!(&one.server, RedisServer::Single(url) if url.expose() == "redis://r:1"));
    assert!(one.username.is_none() && one.password.is_none() && one.database.is_none());
    assert!(one.tls.verify && one.tls.ca_file.is_none());

    let cluster = redis("mode: cluster, nodes: ['a:1', 'b:2'], database: 0");
    assert!(matches!(&cluster.server, RedisServer::Cluster(nodes)
        if nodes.iter().map(Secret::expose).eq(["a:1", "b:2"])));

    let all = redis(
        "mode: sentinel, sentinels: [s], master_name: m, username: u, password: hidden, \
         database: 3, tls: {ca_file: c, verify: false}",
    );
    assert!(matches!(&all.server, RedisServer::Sentinel(sentinels, name)
        if sentinels[0].expose() == "s" && name == "m"));
    assert_eq!(
        (all.username.as_deref(), all.database),
        (Some("u"), Some(3))
    );
    assert_eq!(all.password.as_ref().map(Secret::expose), Some("hidden"));
    assert!(!all.tls.verify);
    let shown = format!("{one:?} {all:?}");
    assert!(
        !shown.contains("hidden") && !shown.contains("r:1"),
        "{shown}"
    );

    let variables = [
        ("AISIX_RATELIMIT__BACKEND", "redis"),
        ("AISIX_RATELIMIT__REDIS__MODE", "cluster"),
        ("AISIX_RATELIMIT__REDIS__NODES", "a:1,b:2"),
    ];
    let (settings, warnings) = with_env(MINIMAL, &variables);
    assert!(warnings.is_empty(), "{warnings:?}");
    assert!(matches!(settings.ratelimit.redis.unwrap().server,
        RedisServer::Cluster(nodes) if nodes.len() == 2));
}

#[test]
fn caches_have_a_redis_whatever_their_backend_is_by_name() {
    for block in ["", "backend: memory, ", "backend: redis, "] {
        let block = format!("cache: {{{block}redis: {{url: 'redis://r:1'}}}}");
        let settings = settings(&format!("{MINIMAL}{block}"));
        let redis = settings.cache.redis.expect("it is described");
        assert!(matches!(&redis.server, RedisServer::Single(url) if url.expose() == "redis://r:1"));
    }
    for (block, expected) in [
        (
            "backend: redis",
            "`cache.backend` `redis` needs `cache.redis`",
        ),
        (
            "backend: disk",
            "`cache.backend` must be `memory` or `redis`",
        ),
        (
            "redis: {mode: many}",
            "`cache.redis.mode` must be `single`, `cluster` or `sentinel`",
        ),
    ] {
        let errors = errors(&format!("cache: {{{block}}}"));
        assert_eq!(errors, [expected]);
    }
}

#[test]
fn redis_is_checked_and_may_be_described_without_being_used() {
    let unused = "ratelimit: {redis: {url: 'redis://r', timeout_secs: 5}}";
    let (settings, warnings) = with_env(&format!("{MINIMAL}{unused}"), &[]);
    assert!(settings.ratelimit.redis.is_none());
    let later = "`ratelimit.redis.timeout_secs` belongs to a later revision and has no effect";
    assert_eq!(warnings, [later]);

    for (more, expected) in [
        (
            "backend: redis",
            "`ratelimit.backend` `redis` needs `ratelimit.redis`",
        ),
        (
            "backend: redis, redis: 7",
            "`ratelimit.redis` must be a mapping",
        ),
        (
            "redis: {mode: single, nodes: [a]}",
            "`ratelimit.redis.url` is required",
        ),
        (
            "redis: {mode: many}",
            "`ratelimit.redis.mode` must be `single`, `cluster` or `sentinel`",
        ),
        (
            "redis: {mode: cluster, nodes: []}",
            "`ratelimit.redis.nodes` must name at least one server",
        ),
        (
            "redis: {mode: cluster, nodes: [a], database: 1}",
            "`ratelimit.redis.database` must be 0 in a cluster",
        ),
        (
            "redis: {mode: sentinel, sentinels: [a]}",
            "`ratelimit.redis.master_name` is required",
        ),
        (
            "redis: {url: a, tls: {client_cert_file: c}}",
            "`ratelimit.redis.tls.client_cert_file` needs `ratelimit.redis.tls.client_key_file`",
        ),
        (
            "redis: {url: a, pasword: b}",
            "`ratelimit.redis.pasword` is not a known key; did you mean \
             `ratelimit.redis.password`?",
        ),
    ] {
        let errors = errors(&format!("ratelimit: {{{more}}}"));
        assert_eq!(errors[0], expected, "{errors:?}");
    }
}
