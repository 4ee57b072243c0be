//! How a launcher is set up.

/// What the launcher needs to know of the deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The stack's name: a tag of every task, and how the families of task definitions begin.
    pub stack: String,
    /// The ECS cluster, by name or ARN.
    pub cluster: String,
    /// The subnets, one for each zone; each of our clusters lives in one of them.
    pub subnets: Vec<String>,
    /// Security groups of schedulers.
    pub scheduler_security_groups: Vec<String>,
    /// Security groups of workers.
    pub worker_security_groups: Vec<String>,
    /// Tasks get public addresses: in public subnets nothing can be pulled without one.
    pub assign_public_ip: bool,
    /// ARN of the role that pulls images, writes logs and reads the environment files.
    pub execution_role: String,
    /// ARN of the role that a task's code has unless its launch names another; none = no role.
    pub task_role: Option<String>,
    /// The bucket of the environment files.
    pub bucket: String,
    /// Where tasks log to.
    pub log_group: String,
    /// The region of the log group.
    pub region: String,
    /// ARN of the secret with a name and a password for the registry of the images; none = it asks for none, or is ECR.
    pub registry_credentials: Option<String>,
    /// The image of launches that name none.
    pub image: String,
    /// `ARM64` or `X86_64`, for launches that name none.
    pub cpu_architecture: String,
}

impl Settings {
    /// `aws`, or the partition of China or GovCloud: second part of every ARN of the account.
    pub(crate) fn partition(&self) -> &str {
        self.execution_role.split(':').nth(1).filter(|part| !part.is_empty()).unwrap_or("aws")
    }

    #[cfg(test)]
    pub(crate) fn example() -> Settings {
        let text = |text: &str| text.to_owned();
        Settings {
            stack: text("dask"),
            cluster: text("dask-tasks"),
            subnets: vec![text("subnet-a"), text("subnet-b"), text("subnet-c")],
            scheduler_security_groups: vec![text("sg-member"), text("sg-scheduler")],
            worker_security_groups: vec![text("sg-member"), text("sg-worker")],
            assign_public_ip: true,
            execution_role: text("arn:aws:iam::123456789012:role/execution"),
            task_role: None,
            bucket: text("dask-environments"),
            log_group: text("/dask/tasks"),
            region: text("eu-central-1"),
            registry_credentials: None,
            image: text("ghcr.io/dask/dask-gateway:2026.3.0"),
            cpu_architecture: text("ARM64"),
        }
    }
}
