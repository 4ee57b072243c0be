//! Everything that the fake knows, behind one lock.

use crate::addresses::Addresses;
use crate::calls::Calls;
use crate::clusters::Clusters;
use crate::definitions::Definitions;
use crate::faults::Faults;
use crate::http_client::HttpClient;
use crate::rates::Buckets;
use crate::settings::{Knobs, Settings};
use crate::tasks::Task;
use crate::tokens::Tokens;
use crate::wire::{ApiError, short_name};
use crate::{clock, events};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::UnboundedSender;

/// The server's parts.
#[derive(Debug)]
pub struct Inner {
    /// What it was started with. The knobs that count are those of the state.
    pub settings: Settings,
    /// Where it listens, `http://127.0.0.1:<port>`.
    pub url: String,
    /// For environment files, events and logs.
    pub client: HttpClient,
    state: Mutex<State>,
}

/// What changes.
#[derive(Debug)]
pub struct State {
    /// What can be turned.
    pub knobs: Knobs,
    /// Clusters and services.
    pub clusters: Clusters,
    /// Task definitions.
    pub definitions: Definitions,
    /// All tasks that ever were, by id.
    pub tasks: BTreeMap<String, Task>,
    /// Client tokens.
    pub tokens: Tokens,
    /// Rates.
    pub buckets: Buckets,
    /// Faults.
    pub faults: Faults,
    /// What was called.
    pub calls: Calls,
    /// All events, as envelopes, in the order in which they happened.
    pub events: Vec<Value>,
    /// Where events leave from.
    pub outgoing: UnboundedSender<Value>,
    /// Addresses of tasks.
    pub addresses: Addresses,
    /// Is the server ending? Then no process is started.
    pub closing: bool,
}

impl Inner {
    /// The parts of a server at `url`.
    pub fn new(settings: Settings, url: String, addresses: Addresses, outgoing: UnboundedSender<Value>) -> Inner {
        let mut clusters = Clusters::default();
        for name in &settings.clusters {
            // Creating a cluster cannot fail.
            let _ = clusters.create(&settings, &serde_json::json!({"clusterName": name}));
        }
        let state = State {
            knobs: settings.knobs.clone(),
            clusters,
            definitions: Definitions::default(),
            tasks: BTreeMap::new(),
            tokens: Tokens::default(),
            buckets: Buckets::default(),
            faults: Faults::default(),
            calls: Calls::default(),
            events: Vec::new(),
            outgoing,
            addresses,
            closing: false,
        };
        Inner { client: HttpClient::new(&settings.region), settings, url, state: Mutex::new(state) }
    }

    /// The state, for a moment.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The knobs as they are turned now.
    pub fn knobs(&self) -> Knobs {
        self.lock().knobs.clone()
    }

    /// Changes a task and sends the event of it.
    pub fn change<T>(&self, id: &str, change: impl FnOnce(&mut Task) -> T) -> Option<T> {
        self.lock().change(&self.settings, id, change)
    }

    /// Looks at a task.
    pub fn look<T>(&self, id: &str, look: impl FnOnce(&Task) -> T) -> Option<T> {
        self.lock().tasks.get(id).map(look)
    }

    /// What processes of this server's tasks, and only they, have in their environment.
    pub fn metadata_base(&self) -> String {
        format!("{}/v4/", self.url)
    }
}

impl State {
    /// Changes a task and sends the event of it.
    pub fn change<T>(&mut self, settings: &Settings, id: &str, change: impl FnOnce(&mut Task) -> T) -> Option<T> {
        let task = self.tasks.get_mut(id)?;
        let result = change(task);
        task.version += 1;
        let event = events::envelope(settings, task);
        self.tell(event);
        Some(result)
    }

    /// Sends an event.
    pub fn tell(&mut self, event: Value) {
        // Nobody listens any more when the server ends.
        let _ = self.outgoing.send(event.clone());
        self.events.push(event);
    }

    /// A task that ECS still knows of, by id or ARN.
    pub fn known_task(&self, name: &str) -> Result<&Task, ApiError> {
        let task = self.tasks.get(short_name(name)).filter(|task| task.kept(clock::now(), &self.knobs));
        task.ok_or_else(|| ApiError::invalid("The referenced task was not found."))
    }
}
