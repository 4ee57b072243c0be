//! What tests look at in a deployed stack, and what they set off in it.

use crate::stack::Stack;
use faregate_core::model::{Cluster, ClusterName, Task};
use faregate_core::ports::Store;
use faregate_dynamodb::DynamoStore;
use serde_json::Value;

impl Stack {
    /// The table.
    pub async fn store(&self) -> DynamoStore {
        let client = aws_sdk_dynamodb::Client::new(&self.sdk_config().await);
        DynamoStore::new(|| client, self.resource("Table"))
    }

    /// A cluster's record.
    pub async fn cluster(&self, name: &str) -> Cluster {
        let name: ClusterName = name.parse().unwrap();
        self.store().await.cluster(&name).await.unwrap().expect("the cluster is on record").value
    }

    /// A cluster's tasks, as they are on record.
    pub async fn recorded_tasks(&self, name: &str) -> Vec<Task> {
        let children = self.store().await.children(&name.parse().unwrap()).await.unwrap();
        children.tasks.into_iter().map(|task| task.value).collect()
    }

    /// Runs the pass once more than the schedule does.
    pub async fn pass(&self) {
        let said = self.try_pass().await;
        assert_eq!(said, Ok(()), "the pass fails");
    }

    /// The same, where it may be killed.
    pub async fn try_pass(&self) -> Result<(), String> {
        let client = aws_sdk_lambda::Client::new(&self.sdk_config().await);
        let answer = client.invoke().function_name(self.resource("EnforceFunction")).send().await;
        let answer = answer.map_err(|error| error.to_string())?;
        let said = answer.payload.map(|payload| String::from_utf8_lossy(payload.as_ref()).into_owned());
        answer.function_error.map_or(Ok(()), |error| Err(format!("{error}: {said:?}")))
    }

    /// The tasks of ECS that run for a cluster in a role (`scheduler`, `worker`), by id.
    pub fn running(&self, role: &str, cluster: &str) -> Vec<String> {
        let group = format!("{role}:{cluster}");
        let runs = |task: &&Value| task["group"] == group && task["lastStatus"] == "RUNNING";
        let id = |task: &Value| task["taskArn"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        self.ecs.tasks().iter().filter(runs).map(id).collect()
    }

    /// What is left of clusters that have ended, in words. Empty when all is in order.
    pub async fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        let mut add = |what: &str, count: usize| {
            if count > 0 {
                left.push(format!("{count} {what}"));
            }
        };
        add("tasks of ECS", self.ecs.living());
        add("processes of tasks", self.task_processes().len());
        add("clusters in the index", self.store().await.active(None, 100).await.unwrap().items.len());
        let s3 = aws_sdk_s3::config::Builder::from(&self.sdk_config().await).force_path_style(true).build();
        let s3 = aws_sdk_s3::Client::from_conf(s3);
        let files = s3.list_objects_v2().bucket(self.resource("EnvironmentFiles")).send().await.unwrap();
        add("environment files", files.contents().len());
        let sqs = aws_sdk_sqs::Client::new(&self.sdk_config().await);
        for queue in ["WakesDead", "EventsDead"] {
            let messages = sqs.receive_message().queue_url(self.resource(queue)).visibility_timeout(0);
            let messages = messages.max_number_of_messages(10).send().await.unwrap();
            add(&format!("messages in {queue}"), messages.messages().len());
        }
        left
    }
}
