//! What IAM asks for when a call is made.

use faregate_aws_tests::ministack::{ACCOUNT, REGION};
use faregate_aws_tests::wire::Call;
use serde_json::Value;
use std::collections::BTreeSet;

/// An action on a resource (an ARN; `*` where the action has none).
pub type Right = (String, String);

/// The rights that a call needs: actions, resources and dependent actions as in "Actions, resources, and condition keys" of each
/// service (Service Authorization Reference).
pub fn needed(call: &Call) -> BTreeSet<Right> {
    let (service, action) = call.action.split_once(':').unwrap();
    let body = call.json();
    let on = |resource: String| BTreeSet::from([(call.action.clone(), resource)]);
    match (service, action) {
        // a transaction's right is that of its parts
        ("dynamodb", "TransactWriteItems") => body["TransactItems"].as_array().unwrap().iter().map(part).collect(),
        ("dynamodb", _) => on(arn(service, &format!("table/{}", call.resource))),
        ("sqs", _) => on(arn(service, last(&call.resource))),
        // it asks for the right to each secret too
        ("secretsmanager", "BatchGetSecretValue") => {
            let ids = body["SecretIdList"].as_array().unwrap().iter().filter_map(Value::as_str);
            let each = ids.map(|id| ("secretsmanager:GetSecretValue".to_owned(), id.to_owned()));
            each.chain([(call.action.clone(), "*".to_owned())]).collect()
        }
        ("secretsmanager", _) => on(call.resource.clone()),
        ("lambda", _) => on(arn(service, &format!("function:{}", call.resource))),
        ("s3", _) => on(format!("arn:aws:s3:::{}", call.resource)),
        ("ecs", _) => ecs(action, &body),
        ("logs", _) => on(arn(service, &call.resource)),
        _ => panic!("an unknown call: {}", call.action),
    }
}

fn part(write: &Value) -> Right {
    let (kind, write) = write.as_object().unwrap().iter().next().unwrap();
    let action = match kind.as_str() {
        "ConditionCheck" => "ConditionCheckItem".to_owned(),
        kind => format!("{kind}Item"),
    };
    (format!("dynamodb:{action}"), arn("dynamodb", &format!("table/{}", write["TableName"].as_str().unwrap())))
}

fn ecs(action: &str, body: &Value) -> BTreeSet<Right> {
    let text = |value: &Value| last(value.as_str().unwrap_or_default()).to_owned();
    let task = |id: &Value| arn("ecs", &format!("task/{}/{}", text(&body["cluster"]), text(id)));
    let definition = |name: &str| definitions(&text(&body[name]));
    let resources = match action {
        "RunTask" => definition("taskDefinition"),
        "StopTask" => vec![task(&body["task"])],
        "DescribeTasks" => body["tasks"].as_array().unwrap().iter().map(task).collect(),
        "RegisterTaskDefinition" => definition("family"),
        "ListTasks" | "DescribeTaskDefinition" => vec!["*".to_owned()],
        _ => panic!("an unknown call: ecs:{action}"),
    };
    let mut rights: BTreeSet<Right> = resources.into_iter().map(|on| (format!("ecs:{action}"), on)).collect();
    if body["tags"].as_array().is_some_and(|tags| !tags.is_empty()) {
        let tagged = if action == "RunTask" { vec![task(&"0".repeat(32).into())] } else { definition("family") };
        rights.extend(tagged.into_iter().map(|on| ("ecs:TagResource".to_owned(), on)));
    }
    for roles in [body, &body["overrides"]] {
        let given = ["taskRoleArn", "executionRoleArn"].into_iter().filter_map(|role| roles[role].as_str());
        rights.extend(given.map(|role| ("iam:PassRole".to_owned(), role.to_owned())));
    }
    rights
}

/// A definition with and without a revision, as the reference does not say which IAM sees before there is one; and for either architecture,
/// as an option may pick the one that no cluster of this session has.
fn definitions(named: &str) -> Vec<String> {
    let family = named.split(':').next().unwrap();
    let families = ["x86_64", "arm64"].map(|other| family.replace("-x86_64-", &format!("-{other}-")));
    let each = families.iter().flat_map(|family| [family.clone(), format!("{family}:1")]);
    each.map(|definition| arn("ecs", &format!("task-definition/{definition}"))).collect()
}

fn arn(service: &str, resource: &str) -> String {
    match resource.strip_prefix("function:arn:") {
        Some(rest) => format!("arn:{rest}"),
        None => format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"),
    }
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}
