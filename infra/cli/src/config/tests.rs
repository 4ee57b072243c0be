//! The configuration as an administrator meets it.

mod reference;

use super::*;
use faregate_core::model::parse_size;

fn wrong(text: &str) -> String {
    let problem = Config::parse(text).expect_err("refused");
    problem.in_file("faregate.toml", text).to_string()
}

#[test]
fn an_empty_file_is_the_defaults() {
    assert_eq!(Config::parse("").expect("good"), Config::default());
}

#[test]
fn the_printed_configuration_is_the_defaults() {
    assert_eq!(Config::parse(&document()).expect("good"), Config::default());
}

#[test]
fn every_key_and_every_field_of_a_cluster_and_a_limit_is_documented() {
    let document = document();
    let documented =
        |name: &str| document.lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{name} =")));
    for key in keys::sections().iter().flat_map(|section| &section.keys) {
        assert!(documented(key.name), "`{}` has no line", key.name);
        assert!(key.about.ends_with('.'), "`{}` has no explanation", key.name);
    }
    let fields = serde_json::to_value(ClusterConfig::default()).expect("a cluster's configuration is plain data");
    for field in fields.as_object().expect("an object").keys() {
        assert!(documented(field), "`{field}` of a cluster has no line");
    }
    for field in tables::known_limits().keys() {
        assert!(document.split_whitespace().any(|word| word == field), "the limit `{field}` is not explained");
    }
}

/// The document with its examples in force, but for one line.
fn uncommented(without: &str) -> String {
    let document = document();
    let in_force = document.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if rest.starts_with('[') || rest.split_once(" = ").is_some_and(|(k, _)| !k.contains(' ')) => rest,
        _ => line,
    });
    in_force.filter(|line| *line != without).map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_example_that_is_commented_out_is_good() {
    let config = Config::parse(&uncommented("admins = [\"root\"]")).expect("good");
    assert_eq!(config.cluster.cluster_max_workers, Some(8));
    assert_eq!(config.gateway.data_dir.as_deref(), Some(Path::new("/var/lib/faregate")));
    assert_eq!(config.limits.len(), 3);
    assert_eq!(config.auth.tables.basic.password.as_deref(), Some("a long secret"));
    assert!(!config.options.is_empty());
    let config =
        Config::parse(&uncommented("password = \"a long secret\"")).expect("good, with passwords of users' own");
    assert!(config.auth.admins.contains("root"));
}

#[test]
fn a_real_file_says_what_it_says() {
    let config = Config::parse(
        r#"
        idle_timeout = 5
        worker_memory = "512 M"
        worker_cores = 0.5
        cluster_max_workers = 4
        cluster_max_memory = "10 G"
        environment = { OMP_NUM_THREADS = "1" }
        worker_cmd = ["nice", "dask", "worker"]
        cluster_heartbeat_period = 0.5
        max_lifetime = 3600
        task_uid_range = "5000-5999"
        address = "localhost:0"
        prefix = "/services/dask-gateway/"
        [limits.default]
        clusters = 3
        memory = "64 G"
        [limits."group:research"]
        total_workers = 9
        [auth]
        admins = ["root"]
        [auth.jwt]
        issuer = "https://id.example"
        audience = "faregate"
        "#,
    )
    .expect("good");
    assert_eq!(config.cluster.idle_timeout, 5.0);
    assert_eq!(config.cluster.worker_memory, 512 << 20);
    assert_eq!(config.cluster.max_workers(), Some((4, "cluster_max_workers")));
    assert_eq!(config.cluster.environment["OMP_NUM_THREADS"], "1");
    assert_eq!(config.cluster.worker_cmd, ["nice", "dask", "worker"]);
    assert_eq!(config.policy.heartbeat_period_ms, 500);
    assert_eq!(config.policy.max_lifetime_ms, Some(3_600_000));
    assert_eq!(config.gateway.address, SocketAddr::from(([127, 0, 0, 1], 0)));
    assert_eq!(config.gateway.prefix, "/services/dask-gateway");
    assert_eq!(config.limits[&Scope::Default].clusters, Some(3));
    assert_eq!(config.limits[&Scope::Default].memory, Some(parse_size("64 G").expect("a size")));
    assert_eq!(config.limits[&Scope::Group("research".into())].total_workers, Some(9));
    assert_eq!(config.auth.admins, ["root".to_owned()].into());
    assert_eq!(config.auth.methods, ["jwt"], "what has a table is meant");
    assert_eq!(config.gateway.task_uid_range.expect("a range").to_string(), "5000-5999");
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one_and_its_line() {
    let cases = [
        ("\nidle_timout = 5", "faregate.toml:2: `idle_timout` is not known; did you mean `idle_timeout`?"),
        ("worker_core = 5", "faregate.toml:1: `worker_core` is not known; did you mean `worker_cores`?"),
        ("zzz = 5", "faregate.toml:1: `zzz` is not known; `faregate config` lists all keys"),
        (
            "q_q = 1\n[limits.default]\nclusters = 1",
            "faregate.toml:1: `q_q` is not known; `faregate config` lists all keys",
        ),
        (
            "[limits.default]\nworker = 1",
            "faregate.toml:2: `limits.default.worker` is not known; did you mean `workers`?",
        ),
        ("[auth.basic]\npasswrd = 'x'", "faregate.toml:2: `auth.basic.passwrd` is not known; did you mean `password`?"),
        ("auth.method = ['basic']", "faregate.toml:1: `auth.method` is not known; did you mean `methods`?"),
    ];
    for (text, sentence) in cases {
        assert_eq!(wrong(text), sentence);
    }
}

/// What is wrong with a text.
type Case = (&'static str, &'static str);

const WRONG: &[Case] = &[
    ("stop_clusters_on_shutdown = 1", "`stop_clusters_on_shutdown` must be `true` or `false`, not integer `1`"),
    ("worker_memory = '2 X'", r#"`worker_memory` must be a size such as "2 G", or a number of bytes, not `"2 X"`"#),
    ("worker_memory = '1 K'", "`worker_memory` must be at least 1 MiB, not 1 KiB"),
    ("worker_cores = 0", "`worker_cores` must be above 0 and at most 4096, not 0"),
    ("worker_cores = nan", "`worker_cores` must be a finite number, not `nan`"),
    ("worker_threads = 0", "`worker_threads` must be at least 1"),
    ("cluster_max_workers = -1", "`cluster_max_workers` must be a whole number between 0 and 4294967295, not `-1`"),
    (
        "cluster_start_timeout = 0",
        "`cluster_start_timeout` must be a number of seconds between 0.001 and 1000000000, not `0`",
    ),
    ("worker_cmd = 'dask worker'", r#"`worker_cmd` must be a list such as ["a", "b"], not string "dask worker""#),
    ("worker_cmd = []", "`worker_cmd` must name a command"),
    ("environment = { A = 1 }", "`environment.A` must be text in quotes, not integer `1`"),
    (
        "address = '8000'",
        "`address` must be an address and a port such as 127.0.0.1:8000, localhost:8000 or :8000, not `8000`",
    ),
    (
        "address = '1.2.3:8000'",
        "`address` must be an address and a port such as 127.0.0.1:8000, localhost:8000 or :8000, not `1.2.3:8000`",
    ),
    (
        "data_dir = '~bob/x'",
        "`data_dir` begins with `~`, which stands for the home directory alone (`~/…`), not `~bob/x`",
    ),
    ("prefix = 'a'", "`prefix` must be a path such as /services/gateway, of letters, digits and -._~, not `a`"),
    ("tls_cert = 'c.pem'", "`tls_cert` needs `tls_key` beside it"),
    (
        "cluster_heartbeat_timeout = 3",
        "`cluster_heartbeat_timeout` must be more than `cluster_heartbeat_period` (15 seconds)",
    ),
    ("cluster_max_memory = '1 G'", "`scheduler_memory` (2 GiB) exceeds `cluster_max_memory` (1 GiB)"),
    ("limits.everyone.clusters = 1", "`limits.everyone` must be called `default`, `group:<name>` or `user:<name>`"),
    ("limits.default.clusters = -1", "`limits.default.clusters` must be 0 or more, not -1"),
    ("limits.default.frozen = ''", "`limits.default.frozen` must be a sentence of 1 to 500 characters"),
    ("prices.vcpu_hour = -1", "`prices.vcpu_hour` must be a number of US dollars from 0 to 1000000, not `-1`"),
    ("prices.core = 1", "`prices.core` is not known; `faregate config` lists all keys"),
    ("auth.groups.a = 'alice'", "`auth.groups.a` must be a list of texts, not text"),
    ("limits.default = 3", "`limits.default` must be a table, not integer `3`"),
    ("options = 3", "`options` must be a list of tables, each written `[[options]]`"),
    (
        "auth.basic.password = ''",
        "`auth.basic.password` must be text of at least one character; leave it out where everybody has a password of their own",
    ),
    ("auth.methods = ['kerberoz']", "`auth.methods.kerberoz` is not known; did you mean `kerberos`?"),
    ("auth.basic.password = 5", "`auth.basic.password` cannot be a number"),
    ("auth.methods = []\nauth.basic.password = 'x'", "`auth.basic` is set, and `auth.methods` does not name `basic`"),
    (
        "[auth]\nadmins = ['root']\nbasic.password = 's3cret'",
        "`auth.admins` cannot be named where everybody shares one password (`auth.basic.password`): whoever knows it could be one of them",
    ),
    (
        "task_uid_range = '0-9'",
        r#"`task_uid_range` must be a range of uids such as "70000-89999", without 0, 65534, 65535, 4294967295, not `"0-9"`"#,
    ),
    ("auth.admins = ['']", "`auth.admins` has ``, which no user can be called"),
];

#[test]
fn a_wrong_value_is_refused_with_its_key_and_what_it_must_be() {
    for (text, sentence) in WRONG {
        let error = wrong(text);
        let (_, got) = error.split_once(": ").expect("a place first");
        assert_eq!(got, *sentence, "{text}");
    }
    let error = wrong("limits.default.clusters = 'three'");
    assert!(error.contains("`limits.default.clusters` cannot be \"three\": invalid type: string \"three\""), "{error}");
    assert!(wrong("worker_cores = ").starts_with("faregate.toml:1: "));
}

#[test]
fn what_is_wrong_is_told_with_its_own_line() {
    let option = "\n[[options]]\nfield = 'a'\ntype = 'string'\ntarget = 'environment.A'\n";
    for (text, line) in [
        ("worker_cmd = [\n'a',\n3]".to_owned(), 3),
        ("[prices]\nvcpu_hour = 1\ngib_hours = 1".to_owned(), 3),
        ("[limits.default]\n[limits.'group:a']\nclusters = 1\n[limits.'group:a.b']\n\nworkers = -1".to_owned(), 6),
        ("[limits.default]\nclusters = 1\n\n[limits.all]\nclusters = 1".to_owned(), 4),
        ("\n[auth]\nadmins = []\n[auth.jwt]\nissuer = 'https://a.example'\naudience = 'a'\nleeway = 601".to_owned(), 7),
        ("\n[auth.jwt]\nissuer = 'https://a.example'".to_owned(), 2),
        ("\n[auth]\nmethods = ['kerberoz']".to_owned(), 3),
        (format!("{option}{option}"), 7),
        (format!("{option}\n[[options]]\nfield = 'b'"), 7),
        (format!("{option}\n[[options]]\nlabel = 'b'"), 7),
        (format!("{option}default = nan"), 6),
        ("cluster_max_memory = '1 G'\nscheduler_memory = '2 G'".to_owned(), 2),
        ("worker_cores = 2\n\nscheduler_cores = 1979-05-27".to_owned(), 3),
    ] {
        let error = wrong(&text);
        assert!(error.starts_with(&format!("faregate.toml:{line}: ")), "{text}: {error}");
    }
    assert_eq!(wrong("tls_cert = ''"), "faregate.toml:1: `tls_cert` must name a file or directory, not nothing");
    assert_eq!(
        wrong("environment = {'A=' = 'x'}"),
        "faregate.toml:1: `environment` has `A=`, which no variable can be called"
    );
    assert!(wrong("allow_no_password = true").contains("is no longer there"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load(Path::new("/nowhere/faregate.toml")).expect_err("refused");
    assert_eq!(error.to_string(), "the configuration `/nowhere/faregate.toml` cannot be read");
}
