//! Where others can read, and where secrets belong.

use super::look;
use faregate_aws_tests::stack::Stack;
use faregate_tests::secrets::Secrets;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What the stack tells at one moment.
#[derive(Deserialize)]
pub struct Told {
    /// By place, what others can read.
    pub places: BTreeMap<String, String>,
    /// The environment files.
    pub bucket: BTreeMap<String, String>,
    /// What Secrets Manager holds.
    pub secrets: BTreeMap<String, String>,
}

/// Everything that can be read now.
pub fn told(stack: &Stack) -> Told {
    let answer = look(stack, "told", &[stack.resource("EnvironmentFiles"), stack.resource("Table")], true);
    let mut told: Told = serde_json::from_value(answer).unwrap();
    let mut add = |place: &str, text: String| assert_eq!(told.places.insert(place.to_owned(), text), None);
    add("tasks that ever were", format!("{:?}", stack.ecs.tasks()));
    add("events of ECS", format!("{:?}", stack.ecs.events()));
    for (action, bodies) in stack.ecs.all_bodies() {
        add(&format!("calls of ecs:{action}"), bodies.join("\n"));
    }
    let mut calls: BTreeMap<String, String> = BTreeMap::new();
    for call in stack.wires.as_ref().unwrap().aws.calls() {
        // environment files are written, and schedulers are asked with their tokens: over TLS, and no call's body is kept
        if !["s3:PutObject", "lambda:InvokeFunction"].contains(&call.action.as_str()) {
            *calls.entry(format!("calls of {}", call.action)).or_default() += &String::from_utf8_lossy(&call.body);
        }
    }
    calls.into_iter().for_each(|(place, text)| add(&place, text));
    add("the proxy's log", std::fs::read_to_string(&stack.proxy.as_ref().unwrap().log).unwrap());
    told
}

impl Told {
    /// What is found where it must not be, in words.
    pub fn leaks(&self, secrets: &Secrets) -> Vec<String> {
        let found = |(place, text): (&String, &String)| {
            let place = place.clone();
            secrets.within(text).into_iter().map(move |what| format!("{what} in {place}")).collect::<Vec<_>>()
        };
        self.places.iter().flat_map(found).collect()
    }

    /// The log of a function.
    pub fn log(&self, function: &str) -> &str {
        &self.places[&format!("log /aws/lambda/{}-{function}", faregate_aws_tests::stack::STACK)]
    }
}
