//! The SDK's clients.

use crate::http::Shared;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use std::time::Duration;

/// Made once, at a function's start.
#[derive(Clone)]
pub struct Aws {
    config: SdkConfig,
    /// Every function that has clients begins with a secret, and making a client is dear.
    secrets: aws_sdk_secretsmanager::Client,
}

impl Aws {
    /// Region, credentials and endpoints as Lambda gives them. A call that hangs ends well before the function does.
    pub async fn load() -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(Duration::from_secs(8))
            .operation_timeout(Duration::from_secs(20))
            .build();
        let loader =
            aws_config::defaults(BehaviorVersion::latest()).http_client(Shared::new()).timeout_config(timeouts);
        let config = loader.load().await;
        Aws { secrets: aws_sdk_secretsmanager::Client::new(&config), config }
    }

    /// DynamoDB.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config)
    }

    /// ECS.
    pub fn ecs(&self) -> aws_sdk_ecs::Client {
        aws_sdk_ecs::Client::new(&self.config)
    }

    /// Lambda.
    pub fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.config)
    }

    /// S3. A bucket is a part of the host name on AWS, and of the path elsewhere.
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let elsewhere = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"].iter().any(|name| std::env::var_os(name).is_some());
        let config = aws_sdk_s3::config::Builder::from(&self.config).force_path_style(elsewhere).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// Secrets Manager.
    pub fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        self.secrets.clone()
    }

    /// SQS.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }
}
