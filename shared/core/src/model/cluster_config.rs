//! What a cluster is made of: the server's settings with the user's options applied.

use super::size::{self, LEAST_MEMORY, too_little_memory};
use super::{Counts, Fargate, TaskSizes, check_image, format_size};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Names and defaults are the official server's (`ClusterConfig`), save the commands, which recent dask wheels spell `dask scheduler`
/// and `dask worker`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterConfig {
    /// Command that starts a scheduler.
    pub scheduler_cmd: Vec<String>,
    /// Command that starts a worker.
    pub worker_cmd: Vec<String>,
    /// Environment variables of scheduler and workers.
    pub environment: BTreeMap<String, String>,
    /// Memory of a worker.
    #[serde(with = "size::required")]
    pub worker_memory: u64,
    /// Cores of a worker.
    pub worker_cores: f64,
    /// Threads of a worker; default: its cores, at least one.
    pub worker_threads: Option<u32>,
    /// Memory of a scheduler.
    #[serde(with = "size::required")]
    pub scheduler_memory: u64,
    /// Cores of a scheduler.
    pub scheduler_cores: f64,
    /// Seconds between adaptive scaling checks.
    pub adaptive_period: f64,
    /// Seconds until an idle cluster is stopped; 0 = never.
    pub idle_timeout: f64,
    /// Seconds without a connected client until a cluster is stopped; 0 = never.
    pub no_client_timeout: f64,
    /// Seconds until a cluster is stopped, whatever it does, unless its owner extends its life; 0 = as long as its limit allows.
    pub lifetime: f64,
    /// Most workers of the cluster.
    pub cluster_max_workers: Option<u32>,
    /// Most cores of the cluster, its scheduler's included.
    pub cluster_max_cores: Option<f64>,
    /// Most memory of the cluster, its scheduler's included.
    #[serde(with = "size::option")]
    pub cluster_max_memory: Option<u64>,
    /// Container image, where tasks are containers.
    pub image: Option<String>,
    /// On Fargate: workers on Spot capacity. The scheduler never is.
    pub fargate_spot: bool,
    /// On Fargate: `ARM64` or `X86_64`; default: the deployment's.
    pub cpu_architecture: Option<String>,
    /// On Fargate: ephemeral storage of each task in GiB, 21 to 200; default: 20, which cost nothing.
    pub ephemeral_storage_gib: Option<u32>,
    /// On Fargate: the IAM role that the tasks' code has; default: the deployment's.
    pub task_role_arn: Option<String>,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        let command = |words: [&str; 2]| words.map(str::to_owned).to_vec();
        ClusterConfig {
            scheduler_cmd: command(["dask", "scheduler"]),
            worker_cmd: command(["dask", "worker"]),
            environment: BTreeMap::new(),
            worker_memory: 2 << 30,
            worker_cores: 1.0,
            worker_threads: None,
            scheduler_memory: 2 << 30,
            scheduler_cores: 1.0,
            adaptive_period: 3.0,
            idle_timeout: 0.0,
            no_client_timeout: 0.0,
            lifetime: 0.0,
            cluster_max_workers: None,
            cluster_max_cores: None,
            cluster_max_memory: None,
            image: None,
            fargate_spot: false,
            cpu_architecture: None,
            ephemeral_storage_gib: None,
            task_role_arn: None,
        }
    }
}

/// A configuration that cannot be run; names the field and the limit.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{field}` {problem}")]
pub struct InvalidClusterConfig {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl ClusterConfig {
    /// Threads of a worker.
    pub fn threads(&self) -> u32 {
        self.worker_threads.unwrap_or((self.worker_cores as u32).max(1))
    }

    /// What one worker reserves.
    pub fn worker_unit(&self) -> Counts {
        Counts {
            clusters: 0,
            workers: 1,
            millicores: (self.worker_cores * 1000.0).round() as i64,
            memory_bytes: self.worker_memory as i64,
        }
    }

    /// The most workers its own limits allow, and the name of the limit that says so; none = unbounded.
    /// Memory and cores count the scheduler's too, as in the official server.
    pub fn max_workers(&self) -> Option<(u32, &'static str)> {
        let by_memory = self.cluster_max_memory.map(|max| {
            let room = max.saturating_sub(self.scheduler_memory) / self.worker_memory.max(1);
            (room.min(u64::from(u32::MAX)) as u32, "cluster_max_memory")
        });
        let by_cores = self
            .cluster_max_cores
            .map(|max| (((max - self.scheduler_cores) / self.worker_cores).max(0.0) as u32, "cluster_max_cores"));
        let by_count = self.cluster_max_workers.map(|max| (max, "cluster_max_workers"));
        [by_count, by_cores, by_memory].into_iter().flatten().min_by_key(|(max, _)| *max)
    }

    /// What a launch of this cluster tells Fargate.
    pub fn fargate(&self, spot: bool, place: u32) -> Fargate {
        Fargate {
            spot,
            place,
            cpu_architecture: self.cpu_architecture.clone(),
            ephemeral_storage_gib: self.ephemeral_storage_gib,
            task_role_arn: self.task_role_arn.clone(),
        }
    }

    /// Moves scheduler and workers up to sizes that there are.
    pub fn fit(&mut self, sizes: TaskSizes) -> Result<(), InvalidClusterConfig> {
        let largest = sizes.largest().unwrap_or_default();
        let tasks = [
            (&mut self.worker_cores, &mut self.worker_memory, "worker_cores", "worker_memory"),
            (&mut self.scheduler_cores, &mut self.scheduler_memory, "scheduler_cores", "scheduler_memory"),
        ];
        for (cores, memory, cores_field, memory_field) in tasks {
            match sizes.fit(*cores, *memory) {
                Some(fit) => (*cores, *memory) = fit,
                None => {
                    let field = if sizes.fit(*cores, 0).is_none() { cores_field } else { memory_field };
                    let asked = format!("{cores} cores with {}", format_size(*memory));
                    let problem = format!("asks for more than a task can have: {asked}; the largest has {largest}");
                    return Err(InvalidClusterConfig { field, problem });
                }
            }
        }
        Ok(())
    }

    /// Refuses what could never run.
    pub fn check(&self) -> Result<(), InvalidClusterConfig> {
        let fail = |field, problem: String| Err(InvalidClusterConfig { field, problem });
        for (field, value) in [("worker_cores", self.worker_cores), ("scheduler_cores", self.scheduler_cores)] {
            if value <= 0.0 || !(0.0..=4096.0).contains(&value) {
                return fail(field, format!("must be above 0 and at most 4096, not {value}"));
            }
        }
        for (field, value) in [("worker_memory", self.worker_memory), ("scheduler_memory", self.scheduler_memory)] {
            if value < LEAST_MEMORY {
                return fail(field, format!("must be at least {}", too_little_memory(value)));
            }
        }
        if self.worker_threads == Some(0) {
            return fail("worker_threads", "must be at least 1".into());
        }
        for (field, value) in [
            ("adaptive_period", self.adaptive_period),
            ("idle_timeout", self.idle_timeout),
            ("no_client_timeout", self.no_client_timeout),
            ("lifetime", self.lifetime),
        ] {
            if !(0.0..=1e9).contains(&value) {
                return fail(field, format!("must be between 0 and 1000000000 seconds, not {value}"));
            }
        }
        if let Some(max) = self.cluster_max_cores
            && (max.is_nan() || max < self.scheduler_cores)
        {
            let have = self.scheduler_cores;
            return fail("scheduler_cores", format!("({have}) exceeds `cluster_max_cores` ({max})"));
        }
        if let Some(max) = self.cluster_max_memory
            && self.scheduler_memory > max
        {
            let (have, max) = (format_size(self.scheduler_memory), format_size(max));
            return fail("scheduler_memory", format!("({have}) exceeds `cluster_max_memory` ({max})"));
        }
        if self.ephemeral_storage_gib.is_some_and(|gib| !(21..=200).contains(&gib)) {
            return fail("ephemeral_storage_gib", "must be from 21 to 200 (20 are there without it)".into());
        }
        if self.cpu_architecture.as_ref().is_some_and(|name| !["ARM64", "X86_64"].contains(&name.as_str())) {
            return fail("cpu_architecture", "must be `ARM64` or `X86_64`".into());
        }
        if let Some(image) = &self.image {
            check_image(image).or_else(|problem| fail("image", problem))?;
        }
        for (field, command) in [("scheduler_cmd", &self.scheduler_cmd), ("worker_cmd", &self.worker_cmd)] {
            if command.first().is_none_or(String::is_empty) {
                return fail(field, "must name a command".into());
            }
            if command.iter().any(|word| word.contains('\0')) {
                return fail(field, "must be free of NUL characters".into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_limit_counts_and_is_named() {
        let config = ClusterConfig {
            cluster_max_workers: Some(8),
            cluster_max_cores: Some(5.0),
            cluster_max_memory: Some(14 << 30),
            ..ClusterConfig::default()
        };
        assert_eq!(config.max_workers(), Some((4, "cluster_max_cores")));
        assert_eq!(ClusterConfig::default().max_workers(), None);
    }

    #[test]
    fn a_scheduler_larger_than_its_cluster_is_refused_by_name() {
        let config = ClusterConfig { cluster_max_memory: Some(1 << 30), ..ClusterConfig::default() };
        let error = config.check().expect_err("refused");
        assert_eq!(error.to_string(), "`scheduler_memory` (2 GiB) exceeds `cluster_max_memory` (1 GiB)");
    }
}
