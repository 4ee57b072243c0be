//! What is kept in S3 and in Secrets Manager, on two emulators by different people. Where they differ is said here; SQS is in `wakes.rs`.
#![allow(clippy::unwrap_used)]

use aws_config::SdkConfig;
use faregate_aws_tests::ministack::Ministack;
use faregate_aws_tests::moto::Moto;
use faregate_core::model::ClusterName;
use faregate_core::ports::{Credentials, Launcher};
use faregate_ecs::{EcsLauncher, Settings};
use faregate_functions::{key_ring, key_ring_and_sign_in};
use faregate_keys::KeyRing;

const BUCKET: &str = "environments";

/// A client that fails at once where it is called: nothing here calls ECS.
fn launcher(config: &SdkConfig) -> (EcsLauncher, aws_sdk_s3::Client) {
    let text = |text: &str| text.to_owned();
    let settings = Settings {
        stack: text("dask"),
        cluster: text("tasks"),
        subnets: vec![text("subnet-a")],
        scheduler_security_groups: vec![text("sg-scheduler")],
        worker_security_groups: vec![text("sg-worker")],
        assign_public_ip: true,
        execution_role: text("arn:aws:iam::000000000000:role/execution"),
        task_role: None,
        bucket: text(BUCKET),
        log_group: text("/dask/tasks"),
        region: text("us-east-1"),
        registry_credentials: None,
        image: text("dask:1"),
        cpu_architecture: text("X86_64"),
    };
    let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(true).build();
    let s3 = aws_sdk_s3::Client::from_conf(s3);
    let (ecs, of_launcher) = (aws_sdk_ecs::Client::new(config), s3.clone());
    (EcsLauncher::new(settings, || ecs, || of_launcher), s3)
}

async fn credentials_come_and_go(config: &SdkConfig) {
    let (launcher, s3) = launcher(config);
    let cluster: ClusterName = "0123456789abcdef0123456789abcdef".parse().unwrap();
    let credentials = |token: &str| Credentials {
        cluster: cluster.clone(),
        user: "alice".into(),
        tls_cert: "cert\n".into(),
        tls_key: "key\n".into(),
        token: token.into(),
    };
    assert!(launcher.prepare(&credentials("t1")).await.is_err(), "there is no bucket");
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    let read = || async {
        let object = s3.get_object().bucket(BUCKET).key(format!("clusters/{cluster}.env")).send().await;
        Some(String::from_utf8(object.ok()?.body.collect().await.unwrap().to_vec()).unwrap())
    };
    for token in ["t1", "t2"] {
        launcher.prepare(&credentials(token)).await.unwrap();
        let text = read().await.unwrap();
        assert!(text.starts_with(&format!("DASK_GATEWAY_API_TOKEN={token}\n")) && text.lines().count() == 3, "{text}");
    }
    for _ in 0..2 {
        launcher.discard(&cluster).await.unwrap();
        assert_eq!(read().await, None, "gone, and once more is no error");
    }
}

async fn secrets_are_read(config: &SdkConfig) {
    let client = aws_sdk_secretsmanager::Client::new(config);
    let seed = format!(r#"{{"seed": "{}"}}"#, "s".repeat(64));
    let create = |name: &'static str, text: String| client.create_secret().name(name).secret_string(text).send();
    let arn = create("ring", seed.clone()).await.unwrap().arn.unwrap();
    create("people", r#"{"password": "p"}"#.into()).await.unwrap();
    create("broken", "hunter2".into()).await.unwrap();
    let ring = KeyRing::from_secret(&seed).unwrap();
    // as the stack gives it: by ARN
    assert_eq!(key_ring(&client, &arn).await.unwrap(), ring);
    let (both, people) = key_ring_and_sign_in(&client, &arn, "people").await.unwrap();
    assert_eq!((both, people.password.as_deref()), (ring, Some("p")));
    let error = key_ring(&client, "broken").await.unwrap_err();
    assert!(error.starts_with("the secret `broken` is no key ring") && !error.contains("hunter2"), "{error}");
    let error = key_ring(&client, "nothing").await.unwrap_err();
    assert!(error.contains("`nothing` cannot be read") && error.contains("ResourceNotFoundException"), "{error}");
    // One answers with an entry in `Errors`, as AWS does, and another may fail the call: neither is a secret without text.
    let error = key_ring_and_sign_in(&client, &arn, "nothing").await.err().unwrap();
    assert!(error.contains("cannot be read"), "{error}");
    // a new version is what is read from then on
    let other = format!(r#"{{"seed": "{}"}}"#, "t".repeat(64));
    client.put_secret_value().secret_id(&arn).secret_string(&other).send().await.unwrap();
    assert_eq!(key_ring(&client, &arn).await.unwrap(), KeyRing::from_secret(&other).unwrap());
    client.delete_secret().secret_id(&arn).send().await.unwrap();
    let error = key_ring(&client, &arn).await.unwrap_err();
    assert!(error.contains("cannot be read"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ministack_and_moto_agree_on_credentials() {
    credentials_come_and_go(&Ministack::start().sdk_config().await).await;
    credentials_come_and_go(&Moto::start().sdk_config().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ministack_and_moto_agree_on_secrets() {
    secrets_are_read(&Ministack::start().sdk_config().await).await;
    secrets_are_read(&Moto::start().sdk_config().await).await;
}
