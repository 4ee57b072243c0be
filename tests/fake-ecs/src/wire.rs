//! The protocol: AWS JSON 1.1. Answers are JSON documents, errors carry their name in `__type`.

use http::StatusCode;
use serde_json::{Value, json};

/// The prefix of `X-Amz-Target` for ECS.
pub const TARGET: &str = "AmazonEC2ContainerServiceV20141113.";

/// The content type of requests and answers.
pub const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// An error as ECS answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The name, for example `ClientException`.
    pub kind: String,
    /// What users read.
    pub message: String,
    /// Of a `ConflictException` only: the tasks that the token belongs to.
    pub resource_ids: Vec<String>,
}

/// What an action answers.
pub type Answer = Result<Value, ApiError>;

impl ApiError {
    /// An error with status 400.
    pub fn new(kind: &str, message: impl Into<String>) -> ApiError {
        ApiError { status: 400, kind: kind.into(), message: message.into(), resource_ids: Vec::new() }
    }

    /// The caller did something that ECS refuses.
    pub fn client(message: impl Into<String>) -> ApiError {
        ApiError::new("ClientException", message)
    }

    /// A parameter is not valid.
    pub fn invalid(message: impl Into<String>) -> ApiError {
        ApiError::new("InvalidParameterException", message)
    }

    /// Too many calls.
    pub fn throttled() -> ApiError {
        ApiError::new("ThrottlingException", "Rate exceeded")
    }

    /// No such cluster.
    pub fn no_cluster() -> ApiError {
        ApiError::new("ClusterNotFoundException", "Cluster not found.")
    }

    /// A token that was used with other parameters.
    pub fn conflict(resource_ids: Vec<String>) -> ApiError {
        let message = "The clientToken was already used with other parameters.";
        ApiError { resource_ids, ..ApiError::new("ConflictException", message) }
    }

    /// Something went wrong on ECS's side.
    pub fn server() -> ApiError {
        ApiError { status: 500, ..ApiError::new("ServerException", "Service Unavailable") }
    }

    /// Its body.
    pub fn body(&self) -> Value {
        let mut body = json!({"__type": self.kind, "message": self.message});
        if !self.resource_ids.is_empty() {
            body["resourceIds"] = json!(self.resource_ids);
        }
        body
    }

    /// Its HTTP status.
    pub fn http_status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST)
    }
}

/// A string member of a request; absent, null and empty are the same.
pub fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body[name].as_str().filter(|text| !text.is_empty())
}

/// A list member of a request; absent is empty.
pub fn list<'a>(body: &'a Value, name: &str) -> &'a [Value] {
    body[name].as_array().map_or(&[], Vec::as_slice)
}

/// The strings of a list member of a request.
pub fn texts(body: &Value, name: &str) -> Vec<String> {
    list(body, name).iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// The last segment of an ARN, or the name itself.
pub fn short_name(name_or_arn: &str) -> &str {
    name_or_arn.rsplit('/').next().unwrap_or(name_or_arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_its_name_and_a_conflict_its_tasks() {
        assert_eq!(ApiError::throttled().body(), json!({"__type": "ThrottlingException", "message": "Rate exceeded"}));
        assert_eq!(ApiError::conflict(vec!["arn".into()]).body()["resourceIds"], json!(["arn"]));
    }

    #[test]
    fn a_name_is_the_last_segment_of_its_arn() {
        assert_eq!(short_name("arn:aws:ecs:eu-west-1:1:task/c/abc"), "abc");
        assert_eq!(short_name("abc"), "abc");
    }
}
