//! `faregate admin --table`: the same commands on a deployment's table.
#![allow(clippy::unwrap_used)]

use faregate_aws_tests::ministack::Ministack;
use faregate_aws_tests::table::create_table;
use faregate_cli::admin::{
    Action, Entry, Field, LimitsAction, Outcome, Output, TokensAction, UsersAction, dynamodb, execute,
};
use faregate_core::model::{Audit, TokenScope};
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
    let mut hands = dynamodb::open(&config, "clusters").unwrap();
    hands.password = |_| Ok("a password of hers".into());
    let run = async |action: Action| execute(&hands, "command line: me", action).await;
    let store = &hands.admin.store;
    let shown = async |action: Action| run(action).await.unwrap().print(Output::Table).unwrap();

    let printed = shown(set(&["clusters=2", "memory=64 G"])).await;
    assert_eq!(printed, "SCOPE       LIMIT     VALUE\nuser:alice  clusters  2\nuser:alice  memory    64 GiB\n");
    assert_eq!(shown(Action::Limits(LimitsAction::List)).await, printed);
    let error = run(set(&["clusters=-1"])).await.unwrap_err();
    assert_eq!((error.exit_code(), error.to_string().as_str()), (2, "`clusters` must be 0 or more, not -1"));

    let cluster = samples::cluster("alice", 1);
    let name = cluster.name.clone();
    let put = faregate_core::ports::Write::Put {
        record: faregate_core::model::Record::Cluster(Box::new(cluster)),
        expect: faregate_core::ports::Expect::Absent,
    };
    store.transact(vec![put]).await.unwrap();
    let list = Action::Clusters { user: None, group: None, status: Vec::new() };
    assert!(shown(list).await.contains(&format!("{name}  alice  PENDING")));
    let stop = Action::Stop { names: Vec::new(), user: Some("alice".into()), why: Some("noon".into()) };
    assert_eq!(shown(stop).await, format!("STOPPING\n{name}\n"));
    let cluster = store.cluster(&name).await.unwrap().unwrap().value;
    assert_eq!(cluster.reason.unwrap().message, "stopped by an administrator: noon");

    let add = UsersAction::Add { name: "alice".into(), why: None };
    assert!(shown(Action::Users(add)).await.starts_with("USER   PASSWORD SET (UTC)\nalice  20"));
    assert_eq!(hands.access.verify_password("alice", "a password of hers").await, Ok(true));
    let (user, name, scopes) = ("alice".to_owned(), "nightly".to_owned(), vec![TokenScope::Read]);
    let create = TokensAction::Create { user, name, scopes, days: 1, groups: Vec::new(), why: None };
    let Outcome::Entry(Entry::Made(made)) = run(Action::Tokens(create)).await.unwrap() else { panic!("a token") };
    let now = hands.admin.now();
    assert_eq!(hands.access.verify_token(&made.token, None, now).await.unwrap().unwrap().user, "alice");
    let remove = UsersAction::Remove { name: "alice".into(), keep_clusters: false, why: None };
    assert_eq!(shown(Action::Users(remove)).await, "Removed alice; machine tokens revoked: 1.\n");
    assert_eq!(hands.access.verify_token(&made.token, None, now).await, Ok(None));

    let Outcome::Audit(list) = run(Action::Audit { month: None }).await.unwrap() else { panic!("audit records") };
    let actions: Vec<String> =
        list.audit.iter().map(|Audit { action, target, .. }| format!("{action} {target}")).collect();
    assert_eq!(
        actions,
        ["set-limits", "stop-clusters", "add-user", "make-token", "remove-user", "stop-clusters"]
            .map(|action| format!("{action} user:alice"))
    );
    let usage = shown(Action::Usage { month: None, csv: true }).await;
    assert_eq!(usage.lines().count(), 1, "{usage}");
}
