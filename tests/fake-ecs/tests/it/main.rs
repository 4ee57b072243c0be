//! The fake over HTTP, with real processes.
#![allow(clippy::unwrap_used)]

mod harness;

use fake_ecs::{EventFaults, Fault, Rates, Settings, StartFailures, Then, When};
use harness::{Bucket, World};
use serde_json::{Value, json};

const SLEEP: &str = "exec sleep 600";

#[test]
fn a_task_runs_with_its_address_its_environment_and_its_metadata_and_ends_with_its_code() {
    let bucket = Bucket::with("/bucket/clusters/a.env", "TOKEN=se cret\nEMPTY=\n# no\n");
    let world = World::start(|settings| settings.s3 = Some(bucket.url.clone()));
    let script =
        r#"echo "$TOKEN/$OWN/${EMPTY-unset}/$AWS_EXECUTION_ENV"; echo "uri $ECS_CONTAINER_METADATA_URI_V4"; exit 7"#;
    let task = world.run(json!({"overrides": {"containerOverrides": [{
        "name": "dask", "command": ["-c", script], "environment": [{"name": "OWN", "value": "own"}],
        "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::bucket/clusters/a.env"}],
    }]}}));
    let ended = world.until(&task, "STOPPED");
    assert_eq!(ended["containers"][0]["exitCode"], 7);
    assert_eq!(
        (ended["stopCode"].as_str(), ended["desiredStatus"].as_str()),
        (Some("EssentialContainerExited"), Some("STOPPED"))
    );
    assert_eq!(ended["stoppedReason"], "Essential container in task exited");
    let log = world.log(&task);
    assert!(log.contains("se cret/own/unset/AWS_ECS_FARGATE"), "{log}");
    assert!(log.contains(&format!("uri {}/v4/", world.ecs.url())), "{log}");
    assert_eq!(world.statuses(&task), ["PROVISIONING", "PENDING", "RUNNING", "DEPROVISIONING", "STOPPED"]);
    let versions: Vec<u64> =
        world.events(&task).iter().map(|event| event["detail"]["version"].as_u64().unwrap()).collect();
    assert!(versions.is_sorted_by(|one, next| one < next), "{versions:?}");
}

#[test]
fn the_metadata_endpoint_says_which_task_it_is_and_where() {
    let world = World::start(|_| {});
    let task = world.run_script(SLEEP);
    let address = world.until(&task, "RUNNING")["containers"][0]["networkInterfaces"][0]["privateIpv4Address"].clone();
    let id = task.rsplit('/').next().unwrap();
    let told = world.get(&format!("/v4/{id}/task"));
    assert_eq!(told["TaskARN"], json!(task));
    assert_eq!(told["Containers"][0]["Networks"][0]["IPv4Addresses"][0], address);
    assert_eq!(world.get(&format!("/v4/{id}"))["Name"], "dask");
    assert!(address.as_str().unwrap().starts_with("127."));
}

#[test]
fn a_missing_environment_file_an_image_that_cannot_be_pulled_and_a_full_subnet_fail_the_start() {
    let bucket = Bucket::with("/other", "");
    let world = World::start(|settings| settings.s3 = Some(bucket.url.clone()));
    let file = json!({"name": "dask", "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::bucket/no.env"}]});
    let cases = [
        (
            json!({"overrides": {"containerOverrides": [file]}}),
            "ResourceInitializationError: failed to download env files: ",
        ),
        (
            json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["full"]}}}),
            "InsufficientFreeAddressesInSubnet",
        ),
        (
            json!({"overrides": {"containerOverrides": [{"name": "dask", "command": ["-c", SLEEP]}]}}),
            "CannotPullContainerError: ",
        ),
    ];
    world.ecs.turn(|knobs| knobs.full_subnets = ["full".to_owned()].into());
    for (call, reason) in cases {
        if reason.starts_with("CannotPull") {
            world.ecs.turn(|knobs| knobs.unpullable_images = ["image".to_owned()].into());
        }
        let ended = world.until(&world.run(call), "STOPPED");
        assert_eq!(ended["stopCode"], "TaskFailedToStart");
        assert!(ended["stoppedReason"].as_str().unwrap().contains(reason), "{ended}");
        assert_eq!(ended.get("startedAt"), None);
    }
}

#[test]
fn starts_fail_by_nobodys_fault_at_their_rate() {
    let world = World::start(|settings| {
        settings.run_processes = false;
        settings.knobs.start_failures = StartFailures { rate: 0.5, seed: 1 };
    });
    (0..4).for_each(|_| drop(world.run_task(json!({"count": 10})).unwrap()));
    let failed = |task: &Value| task["stopCode"] == "TaskFailedToStart" && task["lastStatus"] == "STOPPED";
    let started = |task: &Value| task["lastStatus"] == "RUNNING";
    world.wait("all have started or failed", || world.ecs.tasks().iter().all(|task| failed(task) || started(task)));
    let tasks = world.ecs.tasks();
    let failures: Vec<&Value> = tasks.iter().filter(|task| failed(task)).collect();
    assert!((8..32).contains(&failures.len()), "{} of 40", failures.len());
    assert!(failures.iter().all(|task| task.get("startedAt").is_none() && task["stoppedReason"].is_string()));
    world.ecs.turn(|knobs| knobs.start_failures = StartFailures::default());
    world.until(&world.run(json!({})), "RUNNING");
}

#[test]
fn a_stopped_task_may_end_by_itself_and_is_killed_with_all_that_it_started_if_it_does_not() {
    let world = World::start(|settings| settings.knobs.stop_timeout_factor = 0.01);
    let polite = world.run_script("trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done");
    let stubborn = world.run_script("trap '' TERM; setsid sleep 600 & echo ready; while :; do sleep 0.05; done");
    for task in [&polite, &stubborn] {
        world.until(task, "RUNNING");
        world.wait("ready", || world.log(task).contains("ready"));
        let answer = world.call("StopTask", json!({"cluster": "c", "task": task, "reason": "enough"})).unwrap();
        assert_eq!(answer["task"]["desiredStatus"], "STOPPED");
    }
    let (polite, ended) = (world.until(&polite, "STOPPED"), world.until(&stubborn, "STOPPED"));
    assert_eq!(polite["containers"][0]["exitCode"], 3);
    assert_eq!(ended["containers"][0]["exitCode"], 137);
    assert_eq!((&ended["stopCode"], &ended["stoppedReason"]), (&json!("UserInitiated"), &json!("enough")));
    assert_eq!(world.statuses(&stubborn)[3..], ["RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"]);
    assert_eq!(world.processes(), 0);
}

#[test]
fn a_killed_task_an_interrupted_one_and_one_out_of_memory_say_so() {
    let world = World::start(|_| {});
    let tasks: Vec<String> = (0..5).map(|_| world.run_script(SLEEP)).collect();
    tasks.iter().for_each(|task| drop(world.until(task, "RUNNING")));
    assert!(world.ecs.kill(&tasks[0]) && world.ecs.run_out_of_memory(&tasks[1]) && world.ecs.interrupt(&tasks[2]));
    assert!(world.ecs.retire(&tasks[3]) && !world.ecs.retire(&tasks[3]) && world.ecs.rebalance(&tasks[4]));
    let ended: Vec<Value> = tasks.iter().map(|task| world.until(task, "STOPPED")).collect();
    assert_eq!(
        (&ended[0]["stopCode"], &ended[0]["containers"][0]["exitCode"]),
        (&json!("EssentialContainerExited"), &json!(137))
    );
    assert_eq!(ended[1]["containers"][0]["reason"], "OutOfMemoryError: Container killed due to memory usage");
    assert_eq!(
        (&ended[2]["stopCode"], &ended[2]["stoppedReason"]),
        (&json!("SpotInterruption"), &json!("Your Spot Task was interrupted."))
    );
    for (moved, why) in [(&ended[3], "performing maintenance"), (&ended[4], "Availability Zone rebalancing")] {
        assert_eq!(moved["stopCode"], "ServiceSchedulerInitiated");
        assert!(moved["stoppedReason"].as_str().unwrap().contains(why), "{moved}");
    }
}

#[test]
fn a_retirement_is_announced_by_an_event_that_stops_nothing() {
    let world = World::start(|settings| settings.run_processes = false);
    let task = world.run_script("");
    world.until(&task, "RUNNING");
    world
        .post(&format!("/_control/tasks/{}/announce-retirement", task.rsplit('/').next().unwrap()), json!({}))
        .unwrap();
    let notice = world.events(&task).pop().unwrap();
    assert_eq!((&notice["source"], &notice["detail-type"]), (&json!("aws.health"), &json!("AWS Health Event")));
    assert_eq!(notice["detail"]["eventTypeCode"], "AWS_ECS_TASK_PATCHING_RETIREMENT");
    assert_eq!(world.describe(&task)["desiredStatus"], "RUNNING");
}

#[test]
fn a_token_answers_its_tasks_again_and_refuses_other_parameters() {
    let world = World::start(|settings| settings.run_processes = false);
    let call = |count| world.run_task(json!({"clientToken": "t", "count": count}));
    assert_eq!(call(11).unwrap_err()["__type"], "InvalidParameterException");
    let first = call(2).unwrap();
    let arn = first["tasks"][0]["taskArn"].as_str().unwrap();
    world.until(arn, "RUNNING");
    let again = call(2).unwrap();
    assert_eq!((&again["tasks"][0]["taskArn"], &again["tasks"][0]["lastStatus"]), (&json!(arn), &json!("RUNNING")));
    let conflict = call(3).unwrap_err();
    assert_eq!((&conflict["__type"], &conflict["resourceIds"][0]), (&json!("ConflictException"), &json!(arn)));
    assert_eq!(world.ecs.tasks().len(), 2);
}

#[test]
fn calls_meet_the_faults_that_wait_for_them() {
    let world = World::start(|settings| settings.run_processes = false);
    let spot =
        json!({"launchType": null, "count": 3, "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]});
    world.ecs.fail(Fault {
        when: When { capacity_provider: Some("FARGATE_SPOT".into()), ..When::default() },
        ..Fault::next(1, "RunTask", Then::NoCapacity { start: 1 })
    });
    assert_eq!(world.run_task(json!({})).unwrap()["tasks"].as_array().unwrap().len(), 1);
    let partial = world.run_task(spot).unwrap();
    assert_eq!((partial["tasks"].as_array().unwrap().len(), partial["failures"].as_array().unwrap().len()), (1, 2));
    assert!(partial["failures"][0]["reason"].as_str().unwrap().starts_with("Capacity is unavailable at this time"));
    assert_eq!(partial["tasks"][0]["capacityProviderName"], "FARGATE_SPOT");
    let errors = [(Then::Throttled, "ThrottlingException"), (Then::VcpuLimit, "ClientException")];
    for (then, kind) in errors {
        world.ecs.fail(Fault::next(1, "RunTask", then));
        assert_eq!(world.run_task(json!({})).unwrap_err()["__type"], kind);
    }
    assert_eq!(world.ecs.tasks().len(), 2);
}

#[test]
fn a_reply_may_be_lost_and_a_call_may_land_after_its_caller_gave_up() {
    let world = World::start(|settings| settings.run_processes = false);
    let faults =
        [Then::ReplyLost { status: false }, Then::ReplyLost { status: true }, Then::LandsLater { after_ms: 50 }];
    for (already, then) in faults.into_iter().enumerate() {
        world.ecs.fail(Fault::next(1, "RunTask", then));
        assert!(world.run_task(json!({})).is_err());
        world.wait("the call lands", || world.ecs.tasks().len() == already + 1);
    }
}

#[test]
fn tasks_are_listed_by_who_started_them_late_and_page_by_page() {
    let world = World::start(|settings| settings.run_processes = false);
    (0..5).for_each(|_| drop(world.run_task(json!({"startedBy": "me"})).unwrap()));
    world.run_task(json!({"startedBy": "you"})).unwrap();
    let list = |body: Value| world.call("ListTasks", body).unwrap();
    let first = list(json!({"cluster": "c", "startedBy": "me", "maxResults": 3}));
    let second = list(json!({"cluster": "c", "startedBy": "me", "maxResults": 3, "nextToken": first["nextToken"]}));
    let count = |answer: &Value| answer["taskArns"].as_array().unwrap().len();
    assert_eq!((count(&first), count(&second), second.get("nextToken")), (3, 2, None));
    assert_eq!(count(&list(json!({"cluster": "c", "desiredStatus": "STOPPED"}))), 0);
    let both = json!({"cluster": "c", "startedBy": "me", "desiredStatus": "STOPPED"});
    assert_eq!(count(&list(both.clone())), 0);
    world.ecs.turn(|knobs| knobs.strict_filters = true);
    assert_eq!(world.call("ListTasks", both).unwrap_err()["__type"], "InvalidParameterException");
    assert_eq!(count(&list(json!({"cluster": "c", "startedBy": "me"}))), 5);
    world.ecs.turn(|knobs| knobs.visible_after_ms = 3_600_000);
    assert_eq!(count(&list(json!({"cluster": "c"}))), 0);
    let missing = world.call("DescribeTasks", json!({"cluster": "c", "tasks": [first["taskArns"][0]]})).unwrap();
    assert_eq!(
        (&missing["failures"][0]["arn"], &missing["failures"][0]["reason"]),
        (&first["taskArns"][0], &json!("MISSING"))
    );
    assert_eq!(world.call("ListTasks", json!({"cluster": "d"})).unwrap_err()["__type"], "ClusterNotFoundException");
    let unknown = world.call("StopTask", json!({"cluster": "c", "task": "f".repeat(32)})).unwrap_err();
    assert_eq!(unknown["message"], "The referenced task was not found.");
}

#[test]
fn rates_are_kept_when_they_are_on_and_calls_are_counted() {
    let world = World::start(|settings| {
        settings.run_processes = false;
        settings.knobs.rates = Some(Rates::default());
    });
    let accepted = (0..25).filter(|_| world.call("RegisterTaskDefinition", harness::definition()).is_ok()).count();
    assert!((19..25).contains(&accepted), "{accepted}");
    let count = world.ecs.counts()["RegisterTaskDefinition"];
    assert_eq!((count.calls, count.throttled as usize), (26, 25 - accepted));
}

#[test]
fn events_reach_the_bus_twice_if_told() {
    let bus = Bucket::with("/", r#"{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}"#);
    let world = World::start(|settings| {
        settings.run_processes = false;
        settings.events = Some(bus.url.clone());
        settings.knobs.events = EventFaults { double: 1.0, ..EventFaults::default() };
    });
    let task = world.run_script("");
    world.until(&task, "RUNNING");
    world.wait("all copies", || bus.bodies().len() >= 6);
    let sent: Value = serde_json::from_str(&bus.bodies()[0]).unwrap();
    let detail: Value = serde_json::from_str(sent["Entries"][0]["Detail"].as_str().unwrap()).unwrap();
    assert_eq!((&detail["taskArn"], &detail["lastStatus"]), (&json!(task), &json!("PROVISIONING")));
    assert_eq!(
        (&sent["Entries"][0]["Source"], &sent["Entries"][0]["DetailType"]),
        (&json!("aws.ecs"), &json!("ECS Task State Change"))
    );
    assert!(detail["createdAt"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn what_a_task_writes_reaches_its_log_group_to_the_last_line() {
    let service = Bucket::with("/", "{}");
    let world = World::start(|settings| settings.logs = Some(service.url.clone()));
    let mut definition = harness::definition();
    definition["executionRoleArn"] = json!("role");
    definition["containerDefinitions"][0]["logConfiguration"] =
        json!({"logDriver": "awslogs", "options": {"awslogs-group": "group", "awslogs-stream-prefix": "prefix"}});
    world.call("RegisterTaskDefinition", definition).unwrap();
    let task = world.run_script("echo first; printf last");
    let id = task.rsplit('/').next().unwrap();
    world.wait("the last line", || service.bodies().iter().any(|body| body.contains(r#""message":"last""#)));
    assert!(service.bodies()[0].contains(&format!("prefix/dask/{id}")), "{:?}", service.bodies());
    assert!(service.bodies().iter().any(|body| body.contains(r#""message":"first""#)));
}

#[test]
fn the_control_api_turns_breaks_and_tells() {
    let world = World::start(|settings| settings.run_processes = false);
    assert_eq!(world.post("/_control/knobs", json!({"pendingMs": 1})).unwrap()["pendingMs"], 1);
    assert!(world.post("/_control/knobs", json!({"pending": 1})).is_err());
    world.post("/_control/faults", json!({"action": "RunTask", "then": {"kind": "throttled"}})).unwrap();
    assert!(world.run_task(json!({})).is_err());
    let task = world.run_script("");
    world.until(&task, "RUNNING");
    let id = task.rsplit('/').next().unwrap();
    world.post(&format!("/_control/tasks/{id}/kill"), json!({})).unwrap();
    world.until(&task, "STOPPED");
    assert!(world.post(&format!("/_control/tasks/{id}/kill"), json!({})).is_err());
    assert_eq!(world.get("/_control/calls")["RunTask"]["calls"], 2);
    assert_eq!(world.get("/_control/events").as_array().unwrap().len(), world.ecs.events().len());
}

#[test]
fn every_process_ends_with_the_server() {
    let world = World::start(|_| {});
    let task = world.run_script("setsid sleep 600 & echo ready; sleep 600");
    world.until(&task, "RUNNING");
    world.wait("ready", || world.log(&task).contains("ready"));
    assert!(world.processes() >= 2);
    let url = world.ecs.url().to_owned();
    drop(world);
    assert_eq!(harness::processes_of(&url), 0);
}

#[test]
fn the_settings_name_the_arns() {
    let settings = Settings { region: "us-east-1".into(), account: "123".into(), ..Settings::new("") };
    assert_eq!(settings.arn("cluster/c"), "arn:aws:ecs:us-east-1:123:cluster/c");
}
