//! Which crates may wait for which: Cargo keeps the layers apart.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::process::Command;

/// The packages, with their features, that are compiled for one of ours as it is shipped.
fn compiled_for(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal,features", "--prefix", "none", "--package", package])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Of the packages that are compiled for one of ours, those whose names begin so.
fn named<'a>(tree: &'a BTreeSet<String>, beginnings: &[&str]) -> Vec<&'a String> {
    let is_one = |line: &&String| beginnings.iter().any(|name| line.starts_with(name));
    tree.iter().filter(is_one).collect()
}

#[test]
fn the_core_waits_for_no_runtime_no_http_no_database_and_no_sdk() {
    let tree = compiled_for("faregate-core");
    let outside = ["tokio", "axum", "hyper", "http ", "rustls", "aws", "rusqlite", "libc ", "rand", "tracing"];
    assert_eq!(named(&tree, &outside), Vec::<&String>::new());
    assert!(!named(&tree, &["serde "]).is_empty(), "{tree:?}");
}

#[test]
fn the_stores_and_launchers_wait_for_no_router() {
    for package in ["faregate-dynamodb", "faregate-ecs"] {
        let tree = compiled_for(package);
        assert_eq!(named(&tree, &["axum", "faregate-api", "faregate-gateway"]), Vec::<&String>::new(), "{package}");
        assert!(!named(&tree, &["faregate-core "]).is_empty(), "{tree:?}");
    }
}

#[test]
fn on_one_machine_store_and_launcher_wait_for_no_http_and_no_cryptographic_library() {
    for package in ["faregate-sqlite", "faregate-processes"] {
        let tree = compiled_for(package);
        let outside = ["axum", "hyper", "http ", "rustls", "aws", "faregate-api", "faregate-gateway", "faregate-keys"];
        assert_eq!(named(&tree, &outside), Vec::<&String>::new(), "{package}");
        assert!(!named(&tree, &["faregate-core "]).is_empty(), "{tree:?}");
    }
}

#[test]
fn sign_in_waits_for_no_router_and_no_gateway() {
    let tree = compiled_for("faregate-auth");
    assert_eq!(named(&tree, &["axum", "faregate-api", "faregate-gateway"]), Vec::<&String>::new());
    assert!(!named(&tree, &["faregate-keys "]).is_empty(), "{tree:?}");
}

#[test]
fn the_proxy_waits_for_no_router_and_no_way_to_sign_in() {
    let tree = compiled_for("faregate-proxy");
    let outside = ["axum", "faregate-api", "faregate-auth", "faregate-gateway", "argon2", "jsonwebtoken"];
    assert_eq!(named(&tree, &outside), Vec::<&String>::new());
    assert!(!named(&tree, &["faregate-headers "]).is_empty(), "{tree:?}");
}

#[test]
fn kerberos_knows_nothing_of_gateways() {
    let tree = compiled_for("faregate-kerberos");
    let ours: Vec<&String> =
        named(&tree, &["faregate-"]).into_iter().filter(|line| !line.starts_with("faregate-kerberos")).collect();
    assert_eq!(ours, Vec::<&String>::new());
}

#[test]
fn what_is_shipped_has_no_safety_switches() {
    let switches = |package| compiled_for(package).into_iter().filter(|line| line.contains("safety-switches")).count();
    for package in ["faregate-cli", "faregate-functions", "faregate-fargate-proxy"] {
        assert_eq!(switches(package), 0, "{package}");
    }
    // whereas the seeded world has them
    assert_ne!(switches("faregate-world"), 0);
}
