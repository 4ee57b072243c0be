//! The gateway on AWS's parts, in the test's own process: the real core over the real DynamoDB, SQS and ECS adapters, without Lambda.
//! What Lambda and EventBridge do (take messages off the queue, deliver events, run the pass) is done here by loops that can be cut off
//! anywhere, as functions can.

mod events;
mod queue;
pub mod served;

use crate::ministack::{self, Ministack, REGION};
use crate::table::create_table;
use crate::wire::Wire;
use fake_ecs::FakeEcs;
use faregate::dask::Listen;
use faregate::gateway::{Gateway, GatewayConfig};
use faregate::machine::Machine;
use faregate::model::{ClusterConfig, ClusterName, KeyRing, Policy, TaskSizes};
use faregate::options::Options as ClusterOptions;
use faregate::ports::{Ports, Schedulers};
use faregate_dynamodb::DynamoStore;
use faregate_ecs::EcsLauncher;
use faregate_functions::{Absent, SqsWakes};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// What a gateway inside is made with.
pub struct Options {
    /// Its durations.
    pub policy: Policy,
    /// What clusters are made of.
    pub base: ClusterConfig,
    /// The way to the schedulers.
    pub schedulers: Arc<dyn Schedulers>,
    /// Batches of wakes taken at once.
    pub reconcilers: usize,
    /// Wakes in a batch, 1 to 10.
    pub batch: i32,
    /// Between two passes, in milliseconds; 0 = no pass by itself.
    pub pass_ms: u64,
    /// Percent of turns that are cut off somewhere within this many milliseconds, as a function that is killed.
    pub cut_off: (u64, u64),
    /// Whether tasks are processes.
    pub run_processes: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            policy: Policy::fargate(),
            base: ClusterConfig::default(),
            schedulers: Arc::new(Absent),
            reconcilers: 4,
            batch: 10,
            pass_ms: 0,
            cut_off: (0, 1),
            run_processes: false,
        }
    }
}

/// A gateway, and the AWS under it.
pub struct Inside {
    /// The core.
    pub gateway: Arc<Gateway>,
    /// Its records.
    pub store: Arc<DynamoStore>,
    /// Its key ring.
    pub ring: KeyRing,
    /// What stands between it and everything but ECS.
    pub aws: Arc<Wire>,
    /// What stands between it and ECS.
    pub to_ecs: Arc<Wire>,
    /// ECS.
    pub ecs: FakeEcs,
    /// Turns that were begun.
    pub turns: Arc<AtomicU64>,
    /// Counters that the passes' recounts found wrong.
    pub repaired: Arc<AtomicU64>,
    cut_off_percent: Arc<AtomicU64>,
    s3: aws_sdk_s3::Client,
    loops: JoinSet<()>,
    _tasks: TempDir,
}

const BUCKET: &str = "environments";

impl Inside {
    /// Puts one together on an emulator that others may use too: table, queue and ECS are its own.
    pub async fn start(ministack: &Ministack, options: Options) -> Inside {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let tasks = tempfile::Builder::new().prefix("faregate-inside-").tempdir().unwrap();
        let plain = ministack.sdk_config().await;
        let table = format!("inside-{n}");
        create_table(&aws_sdk_dynamodb::Client::new(&plain), &table).await;
        let sqs = aws_sdk_sqs::Client::new(&plain);
        let queue = sqs.create_queue().queue_name(format!("wakes-{n}")).send().await.unwrap().queue_url.unwrap();
        let s3 = path_style(&plain);
        s3.create_bucket().bucket(BUCKET).send().await.unwrap();

        let receiver = events::Receiver::bind().await;
        let ecs = FakeEcs::start(fake_ecs::Settings {
            region: REGION.into(),
            clusters: vec!["inside".into()],
            path: vec![crate::python::emulator().bin()],
            s3: Some(ministack.url.clone()),
            events: Some(receiver.url()),
            run_processes: options.run_processes,
            ..fake_ecs::Settings::new(tasks.path())
        })
        .unwrap();
        let (aws, to_ecs) = (Wire::start(&ministack.url).await, Wire::start(ecs.url()).await);

        let config = ministack::sdk_config(&aws.url).await;
        let store = Arc::new(DynamoStore::new(aws_sdk_dynamodb::Client::new(&config), table));
        let ecs_client = aws_sdk_ecs::Client::new(&ministack::sdk_config(&to_ecs.url).await);
        let launcher = Arc::new(EcsLauncher::new(launcher_settings(), ecs_client, path_style(&config)));
        let ring = KeyRing::from_random(&[7; 64]);
        let mut base = options.base;
        base.fit(TaskSizes::Fargate).unwrap();
        let gateway = Arc::new(Gateway::new(GatewayConfig {
            ports: Ports {
                store: store.clone(),
                wakes: Arc::new(SqsWakes::new(aws_sdk_sqs::Client::new(&config), &queue)),
                launcher,
                schedulers: options.schedulers,
                routes: Arc::new(Absent),
                host: Arc::new(Machine::default()),
            },
            ring: ring.clone(),
            policy: options.policy,
            options: ClusterOptions::default().with_sizes(TaskSizes::Fargate),
            base,
            api_url: "http://127.0.0.1:9/api".into(),
            listen: Listen::own_address(),
        }));

        let mut loops = JoinSet::new();
        let (turns, repaired) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let cut_off_percent = Arc::new(AtomicU64::new(options.cut_off.0));
        for n in 0..options.reconcilers {
            let reader = queue::Reader {
                client: sqs.clone(),
                queue: queue.clone(),
                batch: options.batch,
                gateway: gateway.clone(),
                wakes: SqsWakes::new(sqs.clone(), &queue),
                turns: turns.clone(),
                cut_off: (cut_off_percent.clone(), options.cut_off.1),
                seed: n as u64,
            };
            loops.spawn(reader.run());
        }
        loops.spawn(receiver.deliver(gateway.clone()));
        if options.pass_ms > 0 {
            loops.spawn(queue::passes(gateway.clone(), store.clone(), options.pass_ms, repaired.clone()));
        }
        let (aws, to_ecs) = (Arc::new(aws), Arc::new(to_ecs));
        Inside { gateway, store, ring, aws, to_ecs, ecs, turns, repaired, cut_off_percent, s3, loops, _tasks: tasks }
    }

    /// From now on turns come to their end.
    pub fn cut_off_no_more(&self) {
        self.cut_off_percent.store(0, Ordering::Relaxed);
    }

    /// Whose credentials are in the bucket, of any gateway on this emulator.
    pub async fn credentials(&self) -> BTreeSet<ClusterName> {
        let mut pages = self.s3.list_objects_v2().bucket(BUCKET).prefix("clusters/").into_paginator().send();
        let mut names = BTreeSet::new();
        while let Some(page) = pages.next().await {
            let page = page.unwrap();
            let keys = page.contents().iter().filter_map(|object| object.key());
            names.extend(keys.filter_map(|key| key["clusters/".len()..].strip_suffix(".env")?.parse().ok()));
        }
        names
    }

    /// Ends its loops: from now on nothing happens by itself.
    pub fn halt(&mut self) {
        self.loops.abort_all();
    }
}

fn path_style(config: &aws_config::SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(true).build();
    aws_sdk_s3::Client::from_conf(config)
}

fn launcher_settings() -> faregate_ecs::Settings {
    faregate_ecs::Settings {
        stack: "inside".into(),
        cluster: "inside".into(),
        subnets: vec!["subnet-a".into(), "subnet-b".into()],
        scheduler_security_groups: vec!["sg-member".into(), "sg-scheduler".into()],
        worker_security_groups: vec!["sg-member".into(), "sg-worker".into()],
        assign_public_ip: true,
        execution_role: "arn:aws:iam::000000000000:role/execution".into(),
        task_role: None,
        bucket: BUCKET.into(),
        log_group: "/inside/tasks".into(),
        region: REGION.into(),
        image: "dask".into(),
        cpu_architecture: "X86_64".into(),
    }
}
