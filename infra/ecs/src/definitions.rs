//! Task definitions are registered at their first use, and found again.

use crate::Settings;
use crate::calls::Failure;
use crate::definition::Definition;
use aws_sdk_ecs::Client;
use std::collections::HashSet;
use tokio::sync::Mutex;

/// The families known to exist.
#[derive(Debug, Default)]
pub(crate) struct Definitions(Mutex<HashSet<String>>);

impl Definitions {
    /// The family of this definition, which exists now. One caller at a time looks, and registers: only one a second may be
    /// (Amazon ECS API reference, "Request throttling").
    pub(crate) async fn family(
        &self,
        ecs: &Client,
        settings: &Settings,
        definition: &Definition,
    ) -> Result<String, Failure> {
        let family = definition.family(settings);
        let mut known = self.0.lock().await;
        if !known.contains(&family) {
            if !exists(ecs, &family).await? {
                let call = definition.register(ecs, settings).map_err(|e| Failure::Unknown(e.to_string()))?;
                call.send().await.map_err(|error| Failure::of(&error))?;
            }
            known.insert(family.clone());
        }
        Ok(family)
    }

    /// It does not exist any more.
    pub(crate) async fn forget(&self, family: &str) {
        self.0.lock().await.remove(family);
    }
}

/// Is there an active revision of the family?
async fn exists(ecs: &Client, family: &str) -> Result<bool, Failure> {
    match ecs.describe_task_definition().task_definition(family).send().await {
        Ok(_) => Ok(true),
        Err(error) => match Failure::of(&error) {
            failure if failure.says("unable to describe task definition") => Ok(false),
            failure => Err(failure),
        },
    }
}
