//! `faregate admin --table`: the same commands on a deployment's table.
#![allow(clippy::unwrap_used)]

use faregate::model::Audit;
use faregate_aws_tests::ministack::Ministack;
use faregate_aws_tests::table::create_table;
use faregate_local::admin::{Action, Field, LimitsAction, Outcome, Output, dynamodb, execute};
use faregate_tests::samples;

fn set(fields: &[&str]) -> Action {
    let fields: Vec<Field> = fields.iter().map(|field| field.parse().unwrap()).collect();
    Action::Limits(LimitsAction::Set { scope: "user:alice".into(), fields, why: Some("a course".into()) })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_works_on_a_table() {
    let ministack = Ministack::start();
    let config = ministack.sdk_config().await;
    create_table(&aws_sdk_dynamodb::Client::new(&config), "clusters").await;
    let admin = dynamodb::open(&config, "clusters").unwrap();
    let run = async |action: Action| execute(&admin, None, "command line: me", action).await;
    let shown = async |action: Action| run(action).await.unwrap().print(Output::Table).unwrap();

    let printed = shown(set(&["clusters=2", "memory=64 G"])).await;
    assert_eq!(printed, "SCOPE       LIMIT     VALUE\nuser:alice  clusters  2\nuser:alice  memory    64 GiB\n");
    assert_eq!(shown(Action::Limits(LimitsAction::List)).await, printed);
    let error = run(set(&["clusters=-1"])).await.unwrap_err();
    assert_eq!((error.exit_code(), error.to_string().as_str()), (2, "`clusters` must be 0 or more, not -1"));

    let cluster = samples::cluster("alice", 1);
    let name = cluster.name.clone();
    let put = faregate::ports::Write::Put {
        record: faregate::model::Record::Cluster(Box::new(cluster)),
        expect: faregate::ports::Expect::Absent,
    };
    admin.store.transact(vec![put]).await.unwrap();
    let list = Action::Clusters { user: None, group: None, status: Vec::new() };
    assert!(shown(list).await.contains(&format!("{name}  alice  PENDING")));
    let stop = Action::Stop { names: Vec::new(), user: Some("alice".into()), why: Some("noon".into()) };
    assert_eq!(shown(stop).await, format!("STOPPING\n{name}\n"));
    let cluster = admin.store.cluster(&name).await.unwrap().unwrap().value;
    assert_eq!(cluster.reason.unwrap().message, "stopped by an administrator: noon");

    let Outcome::Audit(list) = run(Action::Audit { month: None }).await.unwrap() else { panic!("audit records") };
    let actions: Vec<String> =
        list.audit.iter().map(|Audit { action, target, .. }| format!("{action} {target}")).collect();
    assert_eq!(actions, ["set-limits user:alice", "stop-clusters user:alice"]);
    let usage = shown(Action::Usage { month: None, csv: true }).await;
    assert_eq!(usage.lines().count(), 1, "{usage}");
}
