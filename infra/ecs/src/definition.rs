//! A task definition: what an image needs to run on Fargate, and nothing of any cluster.

use crate::Settings;
use crate::overrides::CONTAINER;
use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_ecs::Client;
use aws_sdk_ecs::error::BuildError;
use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionFluentBuilder;
use aws_sdk_ecs::types;
use faregate_core::model::{LaunchSpec, TaskId};
use std::fmt::Write;

/// How long a task has between SIGTERM and SIGKILL, in seconds. Dask closes in a few.
const STOP_TIMEOUT_S: i32 = 30;

/// What every task runs first: it learns its name and address, writes the certificate's files, and becomes the command. It is here and
/// not in each launch, whose overrides have little room.
pub(crate) const START: &str = include_str!("start.py");

/// Where a task's output goes in the log group: the driver's prefix (the stack), the container, the task (Amazon ECS developer guide,
/// "Send Amazon ECS logs to CloudWatch", `awslogs-stream-prefix`).
pub fn log_stream(stack: &str, task: &TaskId) -> String {
    format!("{stack}/{CONTAINER}/{task}")
}

/// Task definitions differ in these alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Definition {
    /// The image.
    pub image: String,
    /// `ARM64` or `X86_64`.
    pub cpu_architecture: String,
}

impl Definition {
    /// The one that a launch needs.
    pub(crate) fn of(settings: &Settings, spec: &LaunchSpec) -> Definition {
        let architecture = spec.fargate.cpu_architecture.as_ref();
        Definition {
            image: spec.image.clone().unwrap_or_else(|| settings.image.clone()),
            cpu_architecture: architecture.unwrap_or(&settings.cpu_architecture).clone(),
        }
    }

    /// `<stack>-<architecture>-<digest of all that is in it>`: a definition that is found by this name is the right one, and two
    /// that were registered at the same time are equal.
    pub(crate) fn family(&self, settings: &Settings) -> String {
        let Settings { execution_role, log_group, region, .. } = settings;
        let content = format!(
            "2\n{}\n{}\n{execution_role}\n{log_group}\n{region}\n{STOP_TIMEOUT_S}\n{START}",
            self.image, self.cpu_architecture
        );
        // without any the families are those that there were before there could be some
        let content = settings.registry_credentials.iter().fold(content, |content, secret| content + "\n" + secret);
        let mut family = format!("{}-{}-", settings.stack, self.cpu_architecture.to_lowercase());
        for byte in &digest(&SHA256, content.as_bytes()).as_ref()[..16] {
            let _ = write!(family, "{byte:02x}"); // a string takes everything
        }
        family
    }

    /// The call that registers it. CPU and memory are the least that is valid: every launch says its own.
    pub(crate) fn register(
        &self,
        ecs: &Client,
        settings: &Settings,
    ) -> Result<RegisterTaskDefinitionFluentBuilder, BuildError> {
        let logs = types::LogConfiguration::builder()
            .log_driver(types::LogDriver::Awslogs)
            .options("awslogs-group", &settings.log_group)
            .options("awslogs-region", &settings.region)
            .options("awslogs-stream-prefix", &settings.stack)
            .build()?;
        let registry = settings.registry_credentials.as_ref();
        let registry =
            registry.map(|secret| types::RepositoryCredentials::builder().credentials_parameter(secret).build());
        let container = types::ContainerDefinition::builder()
            .set_repository_credentials(registry.transpose()?)
            .name(CONTAINER)
            .image(&self.image)
            .set_entry_point(Some(["python3", "-c", START].map(str::to_owned).into()))
            .essential(true)
            .linux_parameters(types::LinuxParameters::builder().init_process_enabled(true).build())
            .stop_timeout(STOP_TIMEOUT_S)
            .log_configuration(logs)
            .build();
        let platform = types::RuntimePlatform::builder()
            .cpu_architecture(self.cpu_architecture.as_str().into())
            .operating_system_family(types::OsFamily::Linux)
            .build();
        Ok(ecs
            .register_task_definition()
            .family(self.family(settings))
            .network_mode(types::NetworkMode::Awsvpc)
            .requires_compatibilities(types::Compatibility::Fargate)
            .runtime_platform(platform)
            .execution_role_arn(&settings.execution_role)
            .cpu("256")
            .memory("512")
            .container_definitions(container)
            .tags(types::Tag::builder().key("faregate:stack").value(&settings.stack).build()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::example;

    #[test]
    fn a_family_is_known_by_what_is_in_it() {
        let settings = Settings::example();
        let mut launch = example(1);
        let family = |settings: &Settings, spec: &LaunchSpec| Definition::of(settings, spec).family(settings);
        let first = family(&settings, &launch.spec);
        assert!(first.starts_with("dask-arm64-") && first.len() == "dask-arm64-".len() + 32, "{first}");
        assert_eq!(family(&settings, &example(7).spec), first, "nothing of the launch is in it");
        launch.spec.fargate.cpu_architecture = Some("X86_64".into());
        assert!(family(&settings, &launch.spec).starts_with("dask-x86_64-"));
        launch = example(1);
        launch.spec.image = Some("mine:1".into());
        assert_ne!(family(&settings, &launch.spec), first);
        let private = Settings { registry_credentials: Some("arn:secret".into()), ..settings.clone() };
        assert_ne!(family(&private, &example(1).spec), first);
        let moved = Settings { log_group: "/elsewhere".into(), ..settings };
        assert_ne!(family(&moved, &example(1).spec), first);
    }
}
