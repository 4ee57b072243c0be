//! The gateway on AWS's parts, in the test's own process: the real core over the real DynamoDB, SQS and ECS adapters, without Lambda.
//! What Lambda and EventBridge do (take messages off the queue, deliver events, begin enforcement runs) is done here by loops that can be cut off
//! anywhere, as functions can.

mod events;
mod queue;
pub mod served;
mod unreachable;

use crate::ministack::{self, Ministack, REGION};
use crate::table::create_table;
use crate::wire::Wire;
use fake_ecs::FakeEcs;
use faregate_core::command::Listen;
use faregate_core::model::{ClusterConfig, ClusterName, Policy, TaskSizes};
use faregate_core::options::Options as ClusterOptions;
use faregate_core::ports::{Ports, Schedulers};
use faregate_dynamodb::DynamoStore;
use faregate_ecs::EcsLauncher;
use faregate_functions::{RecordsAreRoutes, SqsWakes};
use faregate_gateway::{ClusterSettings, Enforcer, Gateway, Reconciler, Services};
use faregate_keys::KeyRing;
use faregate_machine::Machine;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// What a gateway inside is made with.
#[derive(Clone)]
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
    /// Between two enforcement runs, in milliseconds; 0 = none by itself.
    pub enforce_ms: u64,
    /// Percent of reconciles that are cut off somewhere within this many milliseconds, as a function that is killed.
    pub cut_off: (u64, u64),
    /// Whether tasks are processes.
    pub run_processes: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            policy: Policy::fargate(),
            base: ClusterConfig::default(),
            schedulers: Arc::new(unreachable::Unreachable),
            reconcilers: 4,
            batch: 10,
            enforce_ms: 0,
            cut_off: (0, 1),
            run_processes: false,
        }
    }
}

/// A gateway, and the AWS under it.
pub struct Inside {
    /// What the API serves.
    pub gateway: Arc<Gateway>,
    /// Time as an event.
    pub enforcer: Arc<Enforcer>,
    /// What starts and stops tasks.
    pub reconciler: Arc<Reconciler>,
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
    pub reconciles: Arc<AtomicU64>,
    /// Counters that the recounts of enforcement runs found wrong.
    pub repaired: Arc<AtomicU64>,
    cut_off_percent: Arc<AtomicU64>,
    /// Who takes events in, in turns.
    told: events::Told,
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    table: String,
    queue: String,
    options: Options,
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
        let dynamodb = aws_sdk_dynamodb::Client::new(&config);
        let store = Arc::new(DynamoStore::new(|| dynamodb, table.clone()));
        let ring = KeyRing::from_random(&[7; 64]);
        let services = services(&options, &ring, store.clone(), &queue, (&config, &to_ecs)).await;
        let mut loops = JoinSet::new();
        let told = events::Told::default();
        loops.spawn(receiver.deliver(told.clone()));
        let mut inside = Inside {
            gateway: services.gateway.clone(),
            enforcer: services.enforcer.clone(),
            reconciler: services.reconciler.clone(),
            store: store.clone(),
            ring,
            aws: Arc::new(aws),
            to_ecs: Arc::new(to_ecs),
            ecs,
            reconciles: Arc::default(),
            repaired: Arc::default(),
            cut_off_percent: Arc::new(AtomicU64::new(options.cut_off.0)),
            told,
            s3,
            sqs,
            table,
            queue,
            options,
            loops,
            _tasks: tasks,
        };
        inside.run(&services, store);
        inside
    }

    /// A second set of the shells over the same table, queue and ECS: services with caches of their own, with reconcilers and enforcement of
    /// its own, which takes its share of the events.
    pub async fn twin(&mut self) -> Arc<Gateway> {
        let config = ministack::sdk_config(&self.aws.url).await;
        let dynamodb = aws_sdk_dynamodb::Client::new(&config);
        let store = Arc::new(DynamoStore::new(|| dynamodb, self.table.clone()));
        let world = (&config, &*self.to_ecs);
        let services = services(&self.options, &self.ring, store.clone(), &self.queue, world).await;
        self.run(&services, store);
        services.gateway
    }

    /// Lets reconcilers and enforcement run.
    fn run(&mut self, services: &Services, store: Arc<DynamoStore>) {
        for n in 0..self.options.reconcilers {
            let sqs = self.sqs.clone();
            let reader = queue::Reader {
                client: self.sqs.clone(),
                queue: self.queue.clone(),
                batch: self.options.batch,
                reconciler: services.reconciler.clone(),
                wakes: SqsWakes::new(|| sqs, &self.queue),
                reconciles: self.reconciles.clone(),
                cut_off: (self.cut_off_percent.clone(), self.options.cut_off.1),
                seed: n as u64,
            };
            self.loops.spawn(reader.run());
        }
        if self.options.enforce_ms > 0 {
            let enforcing = queue::enforce(services.clone(), store, self.options.enforce_ms, self.repaired.clone());
            self.loops.spawn(enforcing);
        }
        self.told.add(services.task_events.clone());
    }

    /// From now on reconciles come to their end.
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

/// The core over AWS's adapters, as one function has it.
async fn services(
    options: &Options,
    ring: &KeyRing,
    store: Arc<DynamoStore>,
    queue: &str,
    (config, to_ecs): (&aws_config::SdkConfig, &Wire),
) -> Services {
    let ecs = aws_sdk_ecs::Client::new(&ministack::sdk_config(&to_ecs.url).await);
    let (sqs, s3) = (aws_sdk_sqs::Client::new(config), path_style(config));
    let mut base = options.base.clone();
    base.fit(TaskSizes::Fargate).unwrap();
    let ports = Ports {
        store,
        wakes: Arc::new(SqsWakes::new(|| sqs, queue)),
        launcher: Arc::new(EcsLauncher::new(launcher_settings(), || ecs, || s3)),
        schedulers: options.schedulers.clone(),
        routes: Arc::new(RecordsAreRoutes),
        host: Arc::new(Machine::default()),
    };
    let settings = ClusterSettings {
        options: ClusterOptions::default().with_sizes(TaskSizes::Fargate),
        base,
        api_url: "http://127.0.0.1:9/api".into(),
        listen: Listen::own_address(),
        check_launch: faregate_ecs::check_launch,
    };
    Services::new(ports, ring.clone(), options.policy.clone(), settings)
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
        registry_credentials: None,
        image: "dask".into(),
        cpu_architecture: "X86_64".into(),
    }
}
