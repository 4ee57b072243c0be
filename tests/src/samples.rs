//! Sample records.

use faregate_core::model::*;
use faregate_keys::KeyRing;

/// A key ring with known keys.
pub fn ring() -> KeyRing {
    KeyRing::from_random(&std::array::from_fn(|i| i as u8))
}

/// The `n`th cluster name of a user; names of one user sort by `n`.
pub fn name(user: &str, n: u64) -> ClusterName {
    ClusterName::mint(&ring().user_key(user), 1_000 + n as Ms, n)
}

/// A PENDING cluster of a user.
pub fn cluster(user: &str, n: u64) -> Cluster {
    let name = name(user, n);
    let certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".to_owned();
    let tls_key = ring().seal(b"key", &name, [1; 12]).unwrap();
    Cluster::new(name, user, &["team ä".to_owned()], certificate, tls_key, 1_000 + n as Ms)
}

/// The `n`th launch of a cluster: two workers.
pub fn launch(cluster: &ClusterName, n: u32) -> Launch {
    Launch {
        id: LaunchId::new(cluster, n),
        cluster: cluster.clone(),
        spec: LaunchSpec {
            role: TaskRole::Worker,
            count: 2,
            cores: 1.0,
            memory_bytes: 1 << 30,
            command: vec!["dask".into(), "worker".into()],
            environment: vec![("A".into(), "ü".into())],
            user: "alice".into(),
            groups: vec![],
            image: None,
            fargate: Default::default(),
        },
        unit: Counts { clusters: 0, workers: 1, millicores: 1_000, memory_bytes: 1 << 30 },
        state: LaunchState::Pending,
        created_at: 1_000,
        not_after: 61_000,
        calls: 0,
        throttled: 0,
        next_try: 1_000,
        outcome: None,
        expires_at: None,
    }
}

/// A running worker of the cluster's first launch.
pub fn task(cluster: &ClusterName, id: &str) -> Task {
    Task::new(
        cluster.clone(),
        TaskFacts {
            id: TaskId(id.to_owned()),
            launch: LaunchId::new(cluster, 1),
            role: TaskRole::Worker,
            version: 2,
            state: TaskState::Running,
            accepted_at: 1_000,
            pulled_at: None,
            started_at: Some(2_000),
            stopped_at: None,
            stop_code: None,
            stop_reason: None,
            exit_code: None,
            capacity: Some("local".into()),
            address: Some("127.0.0.1".parse().unwrap()),
            ports: Some(vec![1, 65_535]),
            lost_to_platform: false,
            last_lines: vec!["a \"line\"".into()],
        },
    )
}
