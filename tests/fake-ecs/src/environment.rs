//! What a container finds in its environment: environment files, then what the definition and the call say.

use crate::state::Inner;
use crate::tasks::Task;
use crate::wire::{list, text};
use serde_json::Value;
use std::collections::BTreeMap;

/// Where containers find programs besides the directories of the settings.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The variables of an environment file, as Fargate reads it: one `NAME=value` a line, nothing quoted, comments begin
/// with `#`, empty values are dropped
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/use-environment-file.html>).
pub fn parse_file(content: &str) -> Vec<(String, String)> {
    let lines = content.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    let kept = pairs.filter(|(name, value)| !name.trim().is_empty() && !value.is_empty());
    kept.map(|(name, value)| (name.trim().to_owned(), value.to_owned())).collect()
}

/// The bucket and key of `arn:aws:s3:::bucket/key`.
pub fn bucket_and_key(arn: &str) -> Option<(&str, &str)> {
    arn.strip_prefix("arn:aws:s3:::")?.split_once('/')
}

/// The environment files of a task's container: those of the call replace those of the definition.
pub fn files(task: &Task) -> Vec<String> {
    let of = |container: &Value| {
        let values =
            list(container, "environmentFiles").iter().filter_map(|file| text(file, "value").map(str::to_owned));
        values.collect::<Vec<_>>()
    };
    let given = of(task.container_override());
    if given.is_empty() { of(task.container()) } else { given }
}

/// Fetches environment files; the error says what `stoppedReason` would.
pub async fn fetch(inner: &Inner, files: &[String]) -> Result<Vec<(String, String)>, String> {
    let mut variables = Vec::new();
    for arn in files {
        let failed = |why: String| {
            format!(
                "ResourceInitializationError: failed to download env files: file download command: non empty error stream: {arn}: {why}"
            )
        };
        let (bucket, key) = bucket_and_key(arn).ok_or_else(|| failed("not the ARN of an object".into()))?;
        let endpoint = inner.settings.s3.as_ref().ok_or_else(|| failed("no S3 endpoint is set".into()))?;
        let url = format!("{endpoint}/{bucket}/{key}");
        match inner.client.get(&url).await.map_err(&failed)? {
            (status, body) if status.is_success() => variables.extend(parse_file(&String::from_utf8_lossy(&body))),
            (status, _) => return Err(failed(format!("status {status}"))),
        }
    }
    Ok(variables)
}

/// The whole environment of a task's container.
pub fn of_container(inner: &Inner, task: &Task, from_files: Vec<(String, String)>) -> BTreeMap<String, String> {
    let own = inner.settings.path.iter().map(|dir| dir.display().to_string());
    let path = own.chain([SYSTEM_PATH.to_owned()]).collect::<Vec<_>>().join(":");
    let mut all = BTreeMap::from([
        ("PATH".to_owned(), path),
        ("HOME".to_owned(), inner.settings.dir.join(&task.id).display().to_string()),
        ("HOSTNAME".to_owned(), "localhost".to_owned()),
    ]);
    all.extend(inner.settings.environment.clone());
    all.extend([
        ("AWS_EXECUTION_ENV".to_owned(), "AWS_ECS_FARGATE".to_owned()),
        ("AWS_REGION".to_owned(), inner.settings.region.clone()),
        ("AWS_DEFAULT_REGION".to_owned(), inner.settings.region.clone()),
    ]);
    all.extend(from_files);
    for container in [task.container(), task.container_override()] {
        for variable in list(container, "environment") {
            let value = |name: &str| variable[name].as_str().unwrap_or_default().to_owned();
            all.insert(value("name"), value("value"));
        }
    }
    all.insert("ECS_CONTAINER_METADATA_URI_V4".into(), format!("{}{}", inner.metadata_base(), task.id));
    all
}

/// The command of a task's container: the definition's entry point, and the call's command or the definition's.
pub fn command(task: &Task) -> Vec<String> {
    let part = |container: &Value, name: &str| crate::wire::texts(container, name);
    let mut command = part(task.container(), "entryPoint");
    let given = part(task.container_override(), "command");
    command.extend(if given.is_empty() { part(task.container(), "command") } else { given });
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_file_is_read_line_by_line_and_quotes_nothing() {
        let content = "# comment\nA=1\nB=\"two words\" \nEMPTY=\nnothing\n C=a=b\n=x\n\nA=2\n";
        let pairs = [("A", "1"), ("B", "\"two words\" "), ("C", "a=b"), ("A", "2")];
        assert_eq!(parse_file(content), pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn an_object_is_named_by_bucket_and_key() {
        assert_eq!(bucket_and_key("arn:aws:s3:::bucket/clusters/a.env"), Some(("bucket", "clusters/a.env")));
        assert_eq!(bucket_and_key("s3://bucket/key"), None);
    }
}
