//! What the tests' stack is told: the template's parameter `Settings`, with durations that suit tests.

use serde_json::{Value, json};

/// Clusters of at most three workers, options to try everything with, and durations of seconds.
pub fn settings() -> Value {
    json!({
        "cluster": {"cluster_max_workers": 3, "worker_cores": 0.25, "worker_memory": "1 G", "scheduler_cores": 0.25, "scheduler_memory": "1 G"},
        "options": [
            {"field": "worker_cores", "type": "int", "default": 1, "min": 1, "max": 2},
            {"field": "tag", "type": "string", "default": "none", "target": "environment.TAG"},
            {"field": "image", "type": "string", "default": IMAGE},
            {"field": "idle_timeout", "type": "float", "default": 0.0},
            {"field": "environment", "type": "mapping"},
        ],
        "policy": {
            "cluster_start_timeout_ms": 60_000,
            "worker_start_timeout_ms": 60_000,
            "heartbeat_period_ms": 1_000,
            "heartbeat_timeout_ms": 6_000,
            "scheduler_busy_timeout_ms": 20_000,
            "stop_retry_ms": 5_000,
            "check_ms": 2_000,
            "launch_retry_ms": 1_000,
            "launch_call_ms": 5_000,
            "launch_list_ms": 2_000,
            "launch_window_ms": 20_000,
            "max_call_ms": 5_000,
            "visibility_ms": 5_000,
            "grace_period_ms": 10_000,
            "start_backoff_ms": 1_000,
            "room_retry_ms": 2_000,
            "limits_cache_ms": 1_000,
        },
    })
}

/// What session.py finds besides its own options.
pub fn more_options() -> Value {
    json!({"image": IMAGE, "idle_timeout": 0.0, "environment": {}})
}

/// An image that can be pulled: the fake looks at the name only.
pub const IMAGE: &str = "dask";
