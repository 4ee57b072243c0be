//! What the roles of the deployed stack allow, beside what was called.

use super::look;
use super::rights::{Right, needed};
use faregate_aws_tests::stack::{STACK, Stack};
use faregate_aws_tests::wire::Call;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

#[derive(Deserialize)]
struct Policies {
    roles: Vec<Role>,
    /// The policy of the bucket of environment files.
    bucket: Vec<Statement>,
}

#[derive(Deserialize)]
struct Role {
    /// Its logical id.
    role: String,
    /// How those who wear it name themselves in their calls.
    app: Option<String>,
    arn: String,
    trusts: Vec<Value>,
    statements: Vec<Statement>,
}

#[derive(Deserialize)]
struct Statement {
    effect: String,
    actions: Vec<String>,
    resources: Vec<String>,
    condition: Option<Value>,
}

/// What a role allows though our code never calls it: the role, the action's beginning, and why.
const NOT_CALLED_BY_US: [(&str, &str, &str); 15] = [
    ("ApiRole", "logs:", "Lambda writes the function's log"),
    ("ReconcileRole", "logs:", "Lambda writes the function's log"),
    ("TaskEventsRole", "logs:CreateLogStream", "Lambda writes the function's log"),
    ("TaskEventsRole", "logs:PutLogEvents", "Lambda writes the function's log"),
    ("EnforceRole", "logs:", "Lambda writes the function's log"),
    ("RelayRole", "logs:", "Lambda writes the function's log"),
    ("RelayRole", "ec2:", "Lambda places the function into the VPC"),
    ("ReconcileRole", "sqs:ReceiveMessage", "Lambda's poller reads the queue with the function's role"),
    ("ReconcileRole", "sqs:DeleteMessage", "the poller, after the function"),
    ("ReconcileRole", "sqs:GetQueueAttributes", "the poller"),
    ("TaskEventsRole", "sqs:ReceiveMessage", "Lambda's poller reads the queue with the function's role"),
    ("TaskEventsRole", "sqs:DeleteMessage", "the poller, after the function"),
    ("TaskEventsRole", "sqs:GetQueueAttributes", "the poller"),
    ("ExecutionRole", "", "ECS starts tasks with it"),
    ("ProxyService/ExecutionRole", "", "ECS starts the proxy with it"),
];

/// Calls and roles compared, both ways; what differs, in words.
pub fn compare(stack: &Stack, calls: &[Call]) -> Vec<String> {
    let policies = read(stack);
    let made: BTreeSet<(Option<&str>, Right)> =
        calls.iter().flat_map(|call| needed(call).into_iter().map(|right| (call.app.as_deref(), right))).collect();
    let mut differ = BTreeSet::new();
    for (app, right @ (action, on)) in &made {
        let role = policies.roles.iter().find(|role| role.app.is_some() && role.app.as_deref() == *app);
        if !role.is_some_and(|role| role.statements.iter().any(|statement| statement.allows(right))) {
            differ.insert(format!("{app:?} calls {action} on {on}, which its role does not allow"));
        }
    }
    for role in &policies.roles {
        for (statement, action, on) in role.statements.iter().flat_map(Statement::parts) {
            if let Some(condition) = &statement.condition {
                eprintln!("not compared: {} {} {action} on {on} if {condition}", role.role, statement.effect);
            }
            let called = || {
                let mut own = made.iter().filter(|(app, _)| app.is_some() && *app == role.app.as_deref());
                own.any(|(_, right)| matches(action, &right.0) && matches(on, &right.1))
            };
            if statement.effect == "Allow" && !is_others(role, action) && !called() {
                differ.insert(format!("{} allows {action} on {on}, which nobody calls", role.role));
            }
        }
    }
    for (role, action, _) in NOT_CALLED_BY_US {
        let mut roles = policies.roles.iter().filter(|known| known.role == role);
        if !roles.any(|role| role.statements.iter().any(|s| s.actions.iter().any(|a| a.starts_with(action)))) {
            differ.insert(format!("{role} does not allow {action}, of which there is an exception"));
        }
    }
    differ.into_iter().collect()
}

/// Who may read the bucket of environment files, but for the execution role; in words.
pub fn readers_of_the_bucket(stack: &Stack) -> Vec<String> {
    let policies = read(stack);
    let object = format!("arn:aws:s3:::{}/clusters/x.env", stack.resource("EnvironmentFiles"));
    let reads = ["s3:GetObject", "s3:GetObjectVersion"].map(|action| (action.to_owned(), object.clone()));
    let may = |role: &&Role| reads.iter().any(|read| role.statements.iter().any(|s| s.allows(read)));
    let execution = policies.roles.iter().find(|role| role.role == "ExecutionRole").unwrap();
    assert!(may(&execution), "the execution role may read it");
    // also a role of an admin's own, which this stack knows nothing of
    let closed = policies.bucket.iter().any(|statement| {
        let covers = |(action, on): &Right| {
            statement.actions.iter().any(|a| matches(a, action)) && statement.resources.iter().any(|r| matches(r, on))
        };
        let but_one = serde_json::json!({"ArnNotEquals": {"aws:PrincipalArn": execution.arn}});
        statement.effect == "Deny" && statement.condition == Some(but_one) && reads.iter().all(covers)
    });
    let roles = policies.roles.iter().filter(|role| role.role != "ExecutionRole").filter(may);
    let mut readers: Vec<String> = roles.map(|role| format!("{}, worn by {:?}", role.role, role.trusts)).collect();
    if !closed {
        readers.push("whoever has a role that reads S3: the bucket's policy does not deny it".to_owned());
    }
    let task = policies.roles.iter().find(|role| role.role == "TaskRole").unwrap();
    assert!(task.statements.is_empty(), "the role of schedulers and workers may do nothing");
    readers
}

impl Statement {
    fn allows(&self, (action, on): &Right) -> bool {
        let covers = |patterns: &[String], text: &str| patterns.iter().any(|pattern| matches(pattern, text));
        self.effect == "Allow" && covers(&self.actions, action) && covers(&self.resources, on)
    }

    fn parts(&self) -> impl Iterator<Item = (&Statement, &str, &str)> {
        self.actions
            .iter()
            .flat_map(move |action| self.resources.iter().map(move |on| (self, action.as_str(), on.as_str())))
    }
}

fn is_others(role: &Role, action: &str) -> bool {
    NOT_CALLED_BY_US.iter().any(|(name, begin, _)| role.role == *name && action.starts_with(begin))
}

fn read(stack: &Stack) -> Policies {
    serde_json::from_value(look(stack, "roles", &[STACK, stack.resource("EnvironmentFiles")], false)).unwrap()
}

/// IAM's patterns: `*` stands for any characters, `?` for one.
fn matches(pattern: &str, text: &str) -> bool {
    let Some(first) = pattern.chars().next() else { return text.is_empty() };
    let rest = &pattern[first.len_utf8()..];
    match first {
        '*' => text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| matches(rest, &text[at..])),
        '?' => text.chars().next().is_some_and(|one| matches(rest, &text[one.len_utf8()..])),
        one => text.strip_prefix(one).is_some_and(|text| matches(rest, text)),
    }
}

#[test]
fn patterns_are_iams() {
    assert!(matches("*", "*") && matches("*", "arn:x") && matches("a*c", "abbc") && matches("a?c", "abc"));
    assert!(!matches("a*c", "abcd") && !matches("a?c", "ac") && !matches("arn:*", "*"));
}
