//! What a launch's tasks have that their task definition does not say.

use crate::tags::role;
use crate::{Settings, credentials};
use aws_sdk_ecs::error::BuildError;
use aws_sdk_ecs::types;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use faregate_core::model::{Launch, LaunchSpec};
use miniz_oxide::deflate::compress_to_vec_zlib;
use serde::Serialize;

/// The most characters, JSON included (Amazon ECS API reference, RunTask, `overrides`).
pub(crate) const LONGEST: usize = 8192;

/// The most of them that a cluster's own choices may come to. The rest is for what is not known before its launches: the ARNs of roles and
/// of its environment file.
const LONGEST_CHOSEN: usize = 7500;

/// From so many bytes on, a word of the command is compressed.
const LONG: usize = 400;
/// How a compressed one begins.
const PACKED: &str = "zlib:";

/// Name of the one container.
pub(crate) const CONTAINER: &str = "dask";

/// `overrides` of RunTask, in the form it has on the wire.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Overrides {
    /// Units, 1,024 to a core.
    cpu: String,
    /// MiB.
    memory: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ephemeral_storage: Option<Storage>,
    container_overrides: [Container; 1],
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Storage {
    #[serde(rename = "sizeInGiB")]
    size_in_gib: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    name: &'static str,
    command: Vec<String>,
    environment: Vec<Variable>,
    environment_files: [File; 1],
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Variable {
    name: String,
    value: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct File {
    value: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// Is there room for this launch's command and environment in a call of RunTask? Else what to shorten.
pub fn check_launch(spec: &LaunchSpec) -> Result<(), String> {
    let overrides = Overrides::of_spec(spec, String::new(), None);
    let characters = length(&overrides);
    if characters <= LONGEST_CHOSEN {
        return Ok(());
    }
    let [container] = &overrides.container_overrides;
    Err(format!(
        "`environment` is too long: what a {} is started with comes to {characters} characters of JSON, {} of them its environment \
         variables, and ECS leaves {LONGEST_CHOSEN}; have fewer or shorter variables, or put them into the image",
        role(spec.role),
        length(&container.environment),
    ))
}

impl Overrides {
    /// Those of a launch, or why it cannot have them.
    pub(crate) fn of(settings: &Settings, launch: &Launch) -> Result<Overrides, String> {
        let file = credentials::arn(settings, &launch.cluster);
        Overrides::of_spec(&launch.spec, file, settings.task_role.clone()).check()
    }

    fn of_spec(spec: &LaunchSpec, file: String, task_role: Option<String>) -> Overrides {
        let variables = spec.environment.iter();
        let container = Container {
            name: CONTAINER,
            command: spec.command.iter().map(packed).collect(),
            environment: variables.map(|(name, value)| Variable { name: name.clone(), value: value.clone() }).collect(),
            environment_files: [File { value: file, kind: "s3" }],
        };
        Overrides {
            cpu: ((spec.cores * 1024.0).ceil() as u64).to_string(),
            memory: spec.memory_bytes.div_ceil(1 << 20).to_string(),
            task_role_arn: spec.fargate.task_role_arn.clone().or(task_role),
            ephemeral_storage: spec.fargate.ephemeral_storage_gib.map(|size_in_gib| Storage { size_in_gib }),
            container_overrides: [container],
        }
    }

    /// Not longer than allowed; else says what to shorten.
    fn check(self) -> Result<Overrides, String> {
        let characters = length(&self);
        if characters <= LONGEST {
            return Ok(self);
        }
        let [container] = &self.container_overrides;
        Err(format!(
            "its overrides have {characters} characters and ECS allows {LONGEST}: {} of them are environment variables, {} the command",
            length(&container.environment),
            length(&container.command),
        ))
    }

    /// As the SDK wants them.
    pub(crate) fn to_sdk(&self) -> Result<types::TaskOverride, BuildError> {
        let [container] = &self.container_overrides;
        let [file] = &container.environment_files;
        let file = types::EnvironmentFile::builder().value(&file.value).r#type(file.kind.into()).build()?;
        let variable = |v: &Variable| types::KeyValuePair::builder().name(&v.name).value(&v.value).build();
        let of_container = types::ContainerOverride::builder()
            .name(container.name)
            .set_command(Some(container.command.clone()))
            .set_environment(Some(container.environment.iter().map(variable).collect()))
            .environment_files(file)
            .build();
        let storage = |s: &Storage| types::EphemeralStorage::builder().size_in_gib(s.size_in_gib as i32).build();
        Ok(types::TaskOverride::builder()
            .cpu(&self.cpu)
            .memory(&self.memory)
            .set_task_role_arn(self.task_role_arn.clone())
            .set_ephemeral_storage(self.ephemeral_storage.as_ref().map(storage))
            .container_overrides(of_container)
            .build())
    }
}

/// A word of the command; a long one is compressed (`start.py` undoes it), as overrides have little room.
fn packed(word: &String) -> String {
    if word.len() < LONG && !word.starts_with(PACKED) {
        return word.clone();
    }
    PACKED.to_owned() + &STANDARD.encode(compress_to_vec_zlib(word.as_bytes(), 9))
}

/// Characters of something's JSON.
fn length(part: &impl Serialize) -> usize {
    serde_json::to_string(part).map_or(usize::MAX, |json| json.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::START;
    use crate::request::example;

    #[test]
    fn sizes_are_in_units_and_mebibytes_and_the_role_is_the_launchs_or_the_deployments() {
        let mut settings = Settings::example();
        let mut launch = example(2);
        let json = |settings: &Settings, launch: &Launch| {
            serde_json::to_value(Overrides::of(settings, launch).unwrap()).unwrap()
        };
        let plain = json(&settings, &launch);
        assert_eq!((&plain["cpu"], &plain["memory"]), (&"2048".into(), &"4096".into()));
        assert_eq!(plain.get("taskRoleArn"), None);
        assert_eq!(plain.get("ephemeralStorage"), None);
        settings.task_role = Some("arn:aws:iam::1:role/default".into());
        assert_eq!(json(&settings, &launch)["taskRoleArn"], "arn:aws:iam::1:role/default");
        launch.spec.fargate.task_role_arn = Some("arn:aws:iam::1:role/alice".into());
        launch.spec.fargate.ephemeral_storage_gib = Some(50);
        assert_eq!(json(&settings, &launch)["taskRoleArn"], "arn:aws:iam::1:role/alice");
        assert_eq!(json(&settings, &launch)["ephemeralStorage"]["sizeInGiB"], 50);
    }

    #[test]
    fn what_is_counted_is_what_is_sent() {
        let overrides = Overrides::of(&Settings::example(), &example(1)).unwrap();
        let sdk = overrides.to_sdk().unwrap();
        let container = &sdk.container_overrides()[0];
        let json = serde_json::to_value(&overrides).unwrap();
        assert_eq!(json["containerOverrides"][0]["command"], serde_json::json!(container.command()));
        assert_eq!(
            json["containerOverrides"][0]["environmentFiles"][0]["value"],
            container.environment_files()[0].value()
        );
        assert_eq!(container.environment_files()[0].r#type().as_str(), "s3");
        assert_eq!(container.environment()[0].value(), Some("http://gateway/api"));
    }

    #[test]
    fn the_commands_of_the_gateway_leave_most_of_the_room_to_the_environment() {
        use faregate_core::command::{Listen, scheduler_command};
        use faregate_core::model::{ClusterConfig, Policy};
        let mut launch = example(1);
        launch.spec.command = scheduler_command(&ClusterConfig::default(), &Policy::default(), &Listen::own_address());
        let overrides = Overrides::of(&Settings::example(), &launch).unwrap();
        assert!(length(&overrides) < LONGEST / 2, "{}", length(&overrides));
    }

    #[test]
    fn what_a_cluster_may_choose_leaves_room_for_what_is_not_known_yet() {
        let mut settings = Settings::example();
        settings.bucket = "b".repeat(63);
        settings.task_role = Some(format!("arn:aws-us-gov:iam::123456789012:role/{}", "r".repeat(400)));
        let mut launch = example(1);
        assert_eq!(check_launch(&launch.spec), Ok(()));
        let spare = LONGEST_CHOSEN - length(&Overrides::of_spec(&launch.spec, String::new(), None));
        let empty = r#",{"name":"LONG","value":""}"#.len();
        launch.spec.environment.push(("LONG".into(), "x".repeat(spare - empty)));
        assert_eq!(check_launch(&launch.spec), Ok(()));
        assert!(Overrides::of(&settings, &launch).is_ok(), "with the longest names there are");
        launch.spec.environment.last_mut().unwrap().1.push('x');
        let refused = check_launch(&launch.spec).unwrap_err();
        assert!(
            refused.starts_with("`environment` is too long: what a worker is started with comes to 7501 characters"),
            "{refused}"
        );
    }

    #[test]
    fn what_is_packed_is_unpacked_by_python_to_the_letter() {
        let long = "exec (\"é\\n' \")".repeat(40);
        for word in ["scheduler", "zlib:", &long] {
            let unpack = START.lines().find(|line| line.contains("zlib.decompress")).unwrap();
            let program = format!("import base64,sys,zlib\n{unpack}\nprint(command[0],end='')");
            let python =
                std::process::Command::new("python3").args(["-c", &program, &packed(&word.to_owned())]).output();
            assert_eq!(String::from_utf8(python.unwrap().stdout).unwrap(), word);
        }
        assert_eq!(packed(&"scheduler".to_owned()), "scheduler");
        assert!(packed(&long).len() < long.len() / 4);
    }

    #[test]
    fn overrides_that_are_too_long_are_refused_with_what_is_long() {
        let mut launch = example(1);
        let spare = LONGEST - length(&Overrides::of(&Settings::example(), &launch).unwrap());
        let empty = r#",{"name":"LONG","value":""}"#.len();
        launch.spec.environment.push(("LONG".into(), "x".repeat(spare - empty)));
        assert_eq!(length(&Overrides::of(&Settings::example(), &launch).unwrap()), LONGEST);
        launch.spec.environment.last_mut().unwrap().1.push('x');
        let refused = Overrides::of(&Settings::example(), &launch).unwrap_err();
        assert!(refused.contains("8193 characters and ECS allows 8192"), "{refused}");
        assert!(refused.contains("environment variables"), "{refused}");
    }
}
