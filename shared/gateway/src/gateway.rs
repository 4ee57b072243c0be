//! The services put together: those that the API serves, and all of a process that does everything.

use super::admin::Admin;
use super::{ClusterSettings, Clusters, Context, Enforcer, Heartbeats, Reconciler, TaskEvents, Usage};
use faregate_core::model::{Ms, Policy};
use faregate_core::ports::{Ports, Schedulers};
use faregate_keys::KeyRing;
use std::sync::Arc;

/// What the API serves. It can start and stop nothing.
pub struct Gateway {
    /// What all of them have.
    pub context: Arc<Context>,
    /// What users do with their clusters.
    pub clusters: Clusters,
    /// What schedulers tell.
    pub heartbeats: Heartbeats,
    /// What users have used and spent.
    pub usage: Usage,
}

impl Gateway {
    /// Over these records; schedulers are asked this way.
    pub fn new(context: Arc<Context>, schedulers: Arc<dyn Schedulers>, settings: ClusterSettings) -> Self {
        Gateway {
            clusters: Clusters::new(context.clone(), schedulers, settings),
            heartbeats: Heartbeats::new(context.clone()),
            usage: Usage::new(context.clone()),
            context,
        }
    }

    /// The key ring.
    pub fn ring(&self) -> &KeyRing {
        self.context.ring()
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        self.context.policy()
    }

    /// The host's clock.
    pub fn now(&self) -> Ms {
        self.context.now()
    }

    /// What admins do.
    pub fn admin(&self) -> Admin {
        let Context { store, wakes, host, .. } = &*self.context;
        Admin { store: store.clone(), wakes: wakes.clone(), host: host.clone(), policy: self.policy().clone() }
    }
}

/// Every service of a process that does everything, as that of one machine does.
#[derive(Clone)]
pub struct Services {
    /// What the API serves.
    pub gateway: Arc<Gateway>,
    /// What the launcher tells.
    pub task_events: Arc<TaskEvents>,
    /// Time as an event.
    pub enforcer: Arc<Enforcer>,
    /// What starts and stops tasks.
    pub reconciler: Arc<Reconciler>,
}

impl Services {
    /// Over the ports of one host.
    pub fn new(ports: Ports, ring: KeyRing, policy: Policy, settings: ClusterSettings) -> Self {
        let Ports { store, wakes, launcher, schedulers, routes, host } = ports;
        let task_events = TaskEvents::new(store.clone(), wakes.clone(), host.clone(), policy.clone());
        let context = Arc::new(Context::new(store, wakes, host, ring, policy));
        let (api_url, listen) = (settings.api_url.clone(), settings.listen.clone());
        let reconciler = Reconciler::new(context.clone(), launcher, routes, schedulers.clone(), api_url, listen);
        Services {
            enforcer: Arc::new(Enforcer::new(context.clone(), schedulers.clone())),
            reconciler: Arc::new(reconciler),
            gateway: Arc::new(Gateway::new(context, schedulers, settings)),
            task_events: Arc::new(task_events),
        }
    }
}
