//! The first lines of Python that every task runs.

use crate::fargate::Fargate;
use faregate_core::model::{LaunchSpec, TaskFacts, TaskState};
use faregate_tests::launcher_suite::{Fixture, Runs, launch, new_cluster, reaches, started, worker_spec};

/// What a task with this command writes.
async fn written(fargate: &Fargate, command: &[&str], environment: &[(&str, &str)]) -> (TaskFacts, Vec<String>) {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let memory_bytes = fargate.spec(1, Runs::ForEver).memory_bytes;
    let spec = LaunchSpec { environment, memory_bytes, ..worker_spec(1, command) };
    let task = started(fargate, &launch(&new_cluster(), 1, spec, fargate.now())).await.remove(0);
    let rest = reaches(fargate, &task, TaskState::Stopped).await;
    let lines = fargate.written_by(&rest).await;
    (rest, lines)
}

#[tokio::test]
async fn a_task_knows_its_address_and_name_wherever_they_stand_in_its_command() {
    let fargate = Fargate::start().await;
    let address = ["echo", "{address}:8786", "--name={worker_name}", "{address}{address}", "{other}", "a b"];
    // a proxy that is not there: the metadata endpoint is on this very host
    let (facts, lines) = written(&fargate, &address, &[("http_proxy", "http://127.0.0.1:1")]).await;
    let own = facts.address.unwrap();
    assert_eq!(lines, [format!("{own}:8786 --name={} {own}{own} {{other}} a b", facts.id.worker_name())]);
}

#[tokio::test]
async fn certificate_and_key_are_files_that_only_the_task_can_read_and_the_key_is_not_in_its_environment() {
    let fargate = Fargate::start().await;
    let script = r#"
        T=DASK_DISTRIBUTED__COMM__TLS__
        for name in CA_FILE SCHEDULER__CERT WORKER__CERT SCHEDULER__KEY WORKER__KEY; do
            eval "file=\$$T$name"
            echo "$name $(stat -c %a "$file") $(cat "$file" | cut -d' ' -f1)"
        done
        env | grep -c FAREGATE_TLS"#;
    let (_, lines) = written(&fargate, &["sh", "-c", script], &[]).await;
    let expected = [
        "CA_FILE 600 certificate",
        "SCHEDULER__CERT 600 certificate",
        "WORKER__CERT 600 certificate",
        "SCHEDULER__KEY 600 key",
        "WORKER__KEY 600 key",
        "0",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn the_command_takes_the_place_of_python_and_gets_the_signals() {
    let fargate = Fargate::start().await;
    let (facts, lines) = written(&fargate, &["sh", "-c", "kill -TERM $$; echo not reached"], &[]).await;
    assert_eq!((facts.exit_code, lines), (Some(143), vec![]));
}

#[tokio::test]
async fn a_command_that_is_not_there_is_a_failure_that_names_it() {
    let fargate = Fargate::start().await;
    let (facts, lines) = written(&fargate, &["no-such-program"], &[]).await;
    assert_eq!(facts.exit_code, Some(1));
    assert_eq!(lines, ["cannot run 'no-such-program': [Errno 2] No such file or directory"]);
}
