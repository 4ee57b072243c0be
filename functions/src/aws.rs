//! The SDK's clients.

use crate::http;
use crate::settings::process;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_types::sdk_config::SharedCredentialsProvider;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use std::time::Duration;

/// Made once, at a function's start.
#[derive(Clone)]
pub struct Aws {
    config: SdkConfig,
}

impl Aws {
    /// Region, credentials, endpoints and the caller's name are where Lambda has them, in the environment: nothing else is looked
    /// through. A call that hangs ends well before the function does.
    pub fn from_env() -> Result<Self, String> {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(Duration::from_secs(8))
            .operation_timeout(Duration::from_secs(20))
            .build();
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(process("AWS_REGION").map(Region::new))
            .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
            .identity_cache(IdentityCache::lazy().build())
            .http_client(http::client().map_err(|e| format!("TLS cannot be used: {e}"))?)
            .sleep_impl(TokioSleep::new())
            .retry_config(RetryConfig::standard())
            .timeout_config(timeouts)
            .service_config(Endpoints);
        config.set_endpoint_url(process("AWS_ENDPOINT_URL"));
        config.set_app_name(process("AWS_SDK_UA_APP_ID").and_then(|name| AppName::new(name).ok()));
        Ok(Aws { config: config.build() })
    }

    /// How a client is made.
    pub fn later<T: 'static>(&self, client: fn(&Aws) -> T) -> impl FnOnce() -> T + Send + use<T> {
        let aws = self.clone();
        move || client(&aws)
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
        let elsewhere = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"].iter().any(|name| process(name).is_some());
        let config = aws_sdk_s3::config::Builder::from(&self.config).force_path_style(elsewhere).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// Secrets Manager.
    pub fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(&self.config)
    }

    /// SQS.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }
}

/// Endpoints of single services: `AWS_ENDPOINT_URL_ECS` and the like ("Service-specific endpoints", AWS SDKs and Tools Reference).
#[derive(Debug)]
struct Endpoints;

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        process(&format!("{}_{}", key.env(), key.service_id().to_uppercase().replace(' ', "_")))
    }
}
