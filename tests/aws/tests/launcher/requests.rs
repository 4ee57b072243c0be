//! What ECS is asked for.

use crate::fargate::{BUCKET, Fargate, ecs_client, launcher, s3_client};
use fake_ecs::{Fault, Then};
use faregate_core::model::{ClusterName, LaunchSpec, TaskRole, TaskState};
use faregate_core::ports::{Credentials, LaunchError, Launcher};
use faregate_tests::launcher_suite::{Fixture, Runs, launch, new_cluster, reaches, started, stopped};
use serde_json::Value;
use std::io::Write;
use std::sync::{Arc, Mutex};

fn run_tasks(fargate: &Fargate) -> Vec<Value> {
    fargate.ecs.bodies("RunTask").iter().map(|body| serde_json::from_str(body).unwrap()).collect()
}

/// Everything that is logged, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn credentials(cluster: &ClusterName) -> Credentials {
    let pem = |what: &str| format!("-----BEGIN {what}-----\nTHIS+IS/THE{what}OF0ONE=\n-----END {what}-----\n");
    Credentials {
        cluster: cluster.clone(),
        user: "alice".into(),
        tls_cert: pem("CERTIFICATE"),
        tls_key: pem("PRIVATEKEY"),
        token: "k7-the-token-of-one".into(),
    }
}

async fn environment_file(cluster: &ClusterName) -> Option<String> {
    let key = format!("clusters/{cluster}.env");
    let object = s3_client().await.get_object().bucket(BUCKET).key(key).send().await.ok()?;
    Some(String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap())
}

#[tokio::test]
async fn no_secret_is_in_what_ecs_is_told_nor_in_what_is_logged() {
    let log = Log::default();
    let written = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || written.clone());
    // where there is only one subscriber, what another thread logs first is asked of that thread's own, which is none, and then is
    // logged by nobody: so there are two
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let fargate = Fargate::start().await;
    let cluster = new_cluster();
    fargate.launcher().prepare(&credentials(&cluster)).await.unwrap();
    let request = launch(&cluster, 1, fargate.spec(2, Runs::ForEver), fargate.now());
    let tasks = started(&fargate, &request).await;
    reaches(&fargate, &tasks[0], TaskState::Running).await;
    let file = environment_file(&cluster).await.unwrap();
    stopped(&fargate, &tasks).await;
    fargate.launcher().discard(&cluster).await.unwrap();
    assert_eq!(environment_file(&cluster).await, None, "deleted");

    let mut told: String = fargate.ecs.all_bodies().into_values().flatten().collect();
    told += &serde_json::to_string(&(fargate.ecs.tasks(), fargate.ecs.events())).unwrap();
    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(
        told.contains(&cluster.to_string()) && logged.contains("transmitting request"),
        "looked at the right thing"
    );
    let values: Vec<&str> = file.lines().map(|line| line.split_once('=').unwrap().1).collect();
    assert_eq!(values.len(), 3);
    for secret in values.into_iter().chain(["THIS+IS/THEPRIVATEKEYOF0ONE="]) {
        assert!(!told.contains(secret), "`{secret}` was told to ECS");
        assert!(!logged.contains(secret), "`{secret}` was logged");
    }
}

#[tokio::test]
async fn a_task_definition_is_registered_at_its_first_use_and_found_by_every_other_launcher() {
    let fargate = Fargate::without_processes().await;
    for n in 1..=3 {
        started(&fargate, &launch(&new_cluster(), n, fargate.spec(1, Runs::ForEver), fargate.now())).await;
    }
    let calls = ["DescribeTaskDefinition", "RegisterTaskDefinition", "RunTask"].map(|action| fargate.ecs.calls(action));
    assert_eq!(calls, [1, 1, 3]);
    let another = launcher(&fargate.ecs).await;
    let request = launch(&new_cluster(), 4, fargate.spec(1, Runs::ForEver), fargate.now());
    another.launch(&request, fargate.now()).await.unwrap();
    assert_eq!(fargate.ecs.calls("RegisterTaskDefinition"), 1);
    let spec = LaunchSpec { image: Some("other:2".into()), ..request.spec };
    started(&fargate, &launch(&new_cluster(), 5, spec, fargate.now())).await;
    assert_eq!(fargate.ecs.calls("RegisterTaskDefinition"), 2);
    let definition: Value = serde_json::from_str(&fargate.ecs.bodies("RegisterTaskDefinition")[1]).unwrap();
    let container = &definition["containerDefinitions"][0];
    assert_eq!(container["image"], "other:2");
    let [python, c, program] = container["entryPoint"].as_array().unwrap().as_slice() else { panic!("{container}") };
    assert_eq!((python.as_str(), c.as_str()), (Some("python3"), Some("-c")));
    assert!(program.as_str().unwrap().contains("os.execvp(command[0],command)"), "{program}");
    assert!(!fargate.ecs.bodies("RunTask")[0].contains("execvp"), "launches have room for the environment");
    assert_eq!(container["linuxParameters"]["initProcessEnabled"], true);
    assert_eq!(definition["runtimePlatform"]["cpuArchitecture"], "X86_64");
}

#[tokio::test]
async fn a_task_definition_that_is_gone_is_registered_anew() {
    let fargate = Fargate::without_processes().await;
    started(&fargate, &launch(&new_cluster(), 1, fargate.spec(1, Runs::ForEver), fargate.now())).await;
    let family = run_tasks(&fargate)[0]["taskDefinition"].as_str().unwrap().to_owned();
    let client = ecs_client(&fargate.ecs);
    client.deregister_task_definition().task_definition(format!("{family}:1")).send().await.unwrap();
    let request = launch(&new_cluster(), 1, fargate.spec(1, Runs::ForEver), fargate.now());
    let first = fargate.launcher().launch(&request, fargate.now()).await;
    assert!(matches!(&first, Err(LaunchError::Unknown(why)) if why.contains(&family)), "{first:?}");
    assert_eq!(started(&fargate, &request).await.len(), 1);
}

#[tokio::test]
async fn spot_and_on_demand_are_never_mixed_and_a_cluster_has_one_subnet() {
    let fargate = Fargate::without_processes().await;
    let cluster = new_cluster();
    let (mut subnets, mut capacities) = (Vec::new(), Vec::new());
    for (n, (spot, place)) in [(false, 0), (true, 0), (false, 1), (false, 2)].into_iter().enumerate() {
        let mut spec = fargate.spec(1, Runs::ForEver);
        (spec.fargate.spot, spec.fargate.place) = (spot, place);
        started(&fargate, &launch(&cluster, n as u32, spec, fargate.now())).await;
    }
    for call in run_tasks(&fargate) {
        let network = &call["networkConfiguration"]["awsvpcConfiguration"];
        assert_eq!((network["subnets"].as_array().unwrap().len(), &network["assignPublicIp"]), (1, &"ENABLED".into()));
        subnets.push(network["subnets"][0].clone());
        let strategy = call["capacityProviderStrategy"].as_array().unwrap();
        assert_eq!(strategy.len(), 1);
        capacities.push(strategy[0]["capacityProvider"].clone());
    }
    assert_eq!(capacities, ["FARGATE", "FARGATE_SPOT", "FARGATE", "FARGATE"]);
    assert!(subnets[0] == subnets[1] && subnets[0] != subnets[2] && subnets[0] == subnets[3], "{subnets:?}");
}

#[tokio::test]
async fn the_same_launch_is_the_same_call_to_the_letter() {
    let fargate = Fargate::without_processes().await;
    let mut spec = fargate.spec(3, Runs::ForEver);
    spec.role = TaskRole::Scheduler;
    spec.environment = vec![("A".into(), "1".into()), ("B".into(), "".into())];
    spec.groups = vec!["data science".into(), "größe*".into()];
    let request = launch(&new_cluster(), 1, spec, fargate.now());
    started(&fargate, &request).await;
    launcher(&fargate.ecs).await.launch(&request, fargate.now()).await.unwrap();
    let calls = fargate.ecs.bodies("RunTask");
    assert_eq!(calls[0], calls[1]);
    let call = &run_tasks(&fargate)[0];
    assert_eq!((&call["clientToken"], &call["startedBy"]), (&call["startedBy"], &request.id.0.clone().into()));
    assert_eq!(call["group"], format!("scheduler:{}", request.cluster));
    let tags = call["tags"].as_array().unwrap();
    assert!(
        tags.contains(&serde_json::json!({"key": "faregate:groups", "value": "data=20science gr=C3=B6=C3=9Fe=2A"}))
    );
}

#[tokio::test]
async fn overrides_that_are_too_long_are_refused_before_they_are_sent() {
    let fargate = Fargate::without_processes().await;
    let mut spec = fargate.spec(1, Runs::ForEver);
    spec.environment = vec![("LONG".into(), "x".repeat(8192))];
    let refused = fargate.launcher().launch(&launch(&new_cluster(), 1, spec, fargate.now()), fargate.now()).await;
    let Err(LaunchError::Rejected(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("8192") && why.contains("environment variables"), "{why}");
    assert_eq!(fargate.ecs.calls("RunTask"), 0);
}

#[tokio::test]
async fn a_launch_whose_time_passes_while_its_definition_is_looked_for_is_not_called() {
    let fargate = Fargate::without_processes().await;
    fargate.ecs.fail(Fault::next(1, "DescribeTaskDefinition", Then::Slow { by_ms: 300 }));
    let request = launch(&new_cluster(), 1, fargate.spec(1, Runs::ForEver), fargate.now());
    let late = fargate.launcher().launch(&request, request.not_after - 100).await;
    assert!(matches!(late, Err(LaunchError::Unknown(_))), "{late:?}");
    assert_eq!(fargate.ecs.calls("RunTask"), 0);
}

#[tokio::test]
async fn a_call_describes_a_hundred_tasks_and_nobody_is_asked_for_what_cannot_be_one() {
    let fargate = Fargate::without_processes().await;
    let mut tasks = Vec::new();
    for n in 0..11 {
        tasks.extend(
            started(&fargate, &launch(&new_cluster(), n, fargate.spec(10, Runs::ForEver), fargate.now())).await,
        );
    }
    fargate.ecs.forget_calls();
    let described = fargate.launcher().describe(&tasks).await.unwrap();
    assert!(described.iter().zip(&tasks).all(|(facts, id)| facts.as_ref().is_some_and(|facts| facts.id == *id)));
    assert_eq!(fargate.ecs.calls("DescribeTasks"), 2);
    fargate.launcher().describe(&[]).await.unwrap();
    let nonsense = faregate_core::model::TaskId("w-1".into());
    assert_eq!(fargate.launcher().describe(std::slice::from_ref(&nonsense)).await.unwrap(), [None]);
    fargate.launcher().stop(&nonsense).await.unwrap();
    assert_eq!((fargate.ecs.calls("DescribeTasks"), fargate.ecs.calls("StopTask")), (2, 0));
    let gone = faregate_core::model::TaskId("0123456789abcdef".repeat(2));
    assert_eq!(fargate.launcher().describe(std::slice::from_ref(&gone)).await.unwrap(), [None]);
    fargate.launcher().stop(&gone).await.unwrap();
    assert_eq!((fargate.ecs.calls("DescribeTasks"), fargate.ecs.calls("StopTask")), (3, 1));
}
