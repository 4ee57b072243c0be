//! Why a cluster is as it is: what it waits for, which limits hold it, and how its tasks ended.

use super::{Clusters, ServiceError};
use faregate_core::limits::Effective;
use faregate_core::limits::allowed_workers;
use faregate_core::limits::{Measure, counted};
use faregate_core::model::{
    Cluster, ClusterName, Counts, Identity, LaunchState, Ms, Reason, Status, Stored, Task, TaskRole, Usage,
};
use faregate_core::ports::Children;
use faregate_core::reconcile::enforce::{Bound, Deadline, Timeouts, deadline, waiting_for_scheduler};
use serde::Serialize;
use serde_json::{Value, json};

/// Ended tasks that are told of, the latest first.
const TASKS: usize = 10;

/// One cluster, explained to its owner.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// Which.
    pub name: ClusterName,
    /// Where it is.
    pub status: Status,
    /// Where it shall get to.
    pub target: Status,
    /// Why it ended, or is ending.
    pub reason: Option<Reason>,
    /// What it waits for.
    pub waiting: Option<Reason>,
    /// Its workers.
    pub workers: Workers,
    /// When it ends whatever it does, in milliseconds since the epoch.
    pub ends_at: Option<Ms>,
    /// Whose doing that is.
    pub ends_by: Option<String>,
    /// Seconds of idleness after which it ends.
    pub idle_timeout: Option<f64>,
    /// What its owner was warned of.
    pub warnings: Vec<Reason>,
    /// The limits that keep it from what it wants, each with a sentence.
    pub held_by: Vec<Value>,
    /// The last of its tasks that ended.
    pub tasks: Vec<EndedTask>,
}

/// How many workers there are.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Workers {
    /// As its scheduler last said.
    pub wanted: u32,
    /// Connected.
    pub running: u32,
    /// Asked for, and not connected yet.
    pub starting: u32,
    /// On their way out.
    pub stopping: u32,
    /// The most there can ever be; null = as many as are wanted.
    pub most: Option<u32>,
    /// The limit that says so.
    pub most_by: Option<String>,
}

/// A task that ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EndedTask {
    /// Its id.
    pub id: String,
    /// What it was.
    pub role: TaskRole,
    /// When it ended.
    pub ended_at: Option<Ms>,
    /// Why.
    pub why: String,
    /// Its exit code, where it is known.
    pub exit_code: Option<i32>,
    /// The last lines of its log, where it ended by itself.
    pub last_lines: Vec<String>,
}

impl Clusters {
    /// Why one of the caller's clusters is as it is; also after its end, for as long as it is remembered.
    pub async fn explain(&self, who: &Identity, name: &ClusterName) -> Result<Explanation, ServiceError> {
        let cluster = self.get(who, name).await?;
        let limits = self.context.limits_of(&cluster.user, &cluster.groups).await?;
        let children = self.context.store.children(name).await?;
        let wanted = cluster.wants_to_run();
        let held_by = match wanted {
            true => {
                let usage = self.context.store.usage(&cluster.reserved.keys).await?;
                let spent = self.context.spent_out(&cluster.user, &limits).await?;
                held_by(&cluster, &limits, &usage, spent)
            }
            false => Vec::new(),
        };
        let waiting = self.waiting(&cluster, &children);
        let most = allowed_workers(&cluster, &limits);
        let deadline = deadline(&cluster, &limits, self.context.policy()).filter(|_| wanted);
        let (ends_at, ends_by) = deadline.map(|d| (d.at, ends_by(&cluster, d))).unzip();
        let (most, most_by) = most.unzip();
        Ok(Explanation {
            name: name.clone(),
            status: cluster.status,
            target: cluster.target,
            workers: Workers { most, most_by, ..count(&cluster, &children) },
            ends_at,
            ends_by,
            idle_timeout: Timeouts::of(&cluster, &limits).idle.map(|timeout| timeout.ms as f64 / 1000.0),
            held_by,
            tasks: ended(&children),
            reason: cluster.reason,
            waiting,
            warnings: cluster.warnings,
        })
    }
}

impl Clusters {
    /// What it waits for: its scheduler first, then what keeps it from starting more, then workers that do not start.
    fn waiting(&self, cluster: &Cluster, children: &Children) -> Option<Reason> {
        let seen_at = children.heartbeat.as_ref().and_then(|heartbeat| heartbeat.value.seen_at);
        let silent = waiting_for_scheduler(cluster, seen_at, self.context.now(), self.context.policy());
        let failure = || cluster.start_failure.clone().filter(|_| cluster.wants_to_run());
        silent.or_else(|| cluster.waiting.clone()).or_else(failure)
    }
}

/// What bounds its life, in words.
fn ends_by(cluster: &Cluster, deadline: Deadline) -> String {
    match deadline.by {
        Bound::Own => format!("its lifetime of {} s", cluster.config.lifetime),
        Bound::Extension => "its lifetime, extended by its owner".to_owned(),
        Bound::Limit(longest) => format!("its longest lifetime of {longest}"),
    }
}

fn count(cluster: &Cluster, children: &Children) -> Workers {
    let mut workers = Workers { wanted: cluster.count, ..Workers::default() };
    let tasks = || children.tasks.iter().map(|t| &t.value);
    for task in tasks().filter(|t| t.facts.role == TaskRole::Worker && t.may_run()) {
        match task.registered_at {
            _ if task.stopping.is_some() || task.leaving || task.orphan => workers.stopping += 1,
            Some(_) if task.closed_since.is_none() => workers.running += 1,
            _ => workers.starting += 1,
        }
    }
    let launches = children.launches.iter().map(|l| &l.value);
    let open = launches.filter(|l| l.spec.role == TaskRole::Worker && l.state.is_open());
    for launch in open.filter(|l| l.state != LaunchState::Cancelled) {
        let known = tasks().filter(|t| t.facts.launch == launch.id).count() as u32;
        workers.starting += launch.spec.count.saturating_sub(known);
    }
    workers
}

/// Everything of its user's that leaves it less than it wants.
fn held_by(cluster: &Cluster, limits: &Effective, usage: &[Stored<Usage>], spent: Option<Reason>) -> Vec<Value> {
    let mut held = Vec::new();
    if let Some(frozen) = &limits.frozen {
        let message = format!("{} is frozen: {}", frozen.from, frozen.value);
        held.push(json!({"limit": "frozen", "from": frozen.from, "message": message}));
    }
    if let (Some(reason), Some(unreadable)) = (limits.unreadable(), &limits.unreadable) {
        held.push(json!({"limit": "unreadable", "from": unreadable.from, "message": reason.message}));
    }
    if let (Some(reason), Some(budget)) = (spent, &limits.budget) {
        let message = reason.message;
        held.push(json!({"limit": "budget", "value": budget.value, "from": budget.from, "message": message}));
    }
    if let Some(shrink) = &cluster.shrink {
        held.push(json!({"limit": "lowered", "message": shrink.reason.message}));
    }
    let missing = i64::from(cluster.count) - cluster.reserved.counts.workers;
    if missing <= 0 {
        return held;
    }
    if let Some((most, by)) = allowed_workers(cluster, limits)
        && cluster.count > most
    {
        let message = format!("{} workers are wanted, and the limit {by} allows {most}", cluster.count);
        held.push(json!({"limit": "most", "value": most, "message": message}));
    }
    let unit = cluster.config.worker_unit();
    for usage in usage.iter().map(|u| &u.value) {
        held.extend(Measure::ALL.into_iter().filter_map(|measure| full(limits, usage, measure, &unit, missing)));
    }
    held
}

/// A limit on all that its user or group has, which leaves less than is missing.
fn full(limits: &Effective, usage: &Usage, measure: Measure, unit: &Counts, missing: i64) -> Option<Value> {
    let each = measure.of(unit);
    let ceiling = counted(limits, &usage.scope, measure).filter(|_| each > 0)?;
    let used = measure.of(&usage.counts);
    let left = (ceiling.value - used).max(0);
    let fits = left / each;
    (fits < missing).then(|| {
        let (text, scope) = (measure.text(used), &usage.scope);
        let message =
            format!("the limit {ceiling} leaves room for {fits} of {missing} workers: {text} in use by {scope}");
        json!({
            "limit": ceiling.field, "value": measure.json(ceiling.value), "from": ceiling.from,
            "used": measure.json(used), "left": measure.json(left), "message": message,
        })
    })
}

fn ended(children: &Children) -> Vec<EndedTask> {
    let mut ended: Vec<&Task> = children.tasks.iter().map(|t| &t.value).filter(|t| !t.may_run()).collect();
    ended.sort_by_key(|task| std::cmp::Reverse(task.facts.stopped_at));
    let told = ended.into_iter().take(TASKS).map(|task| EndedTask {
        id: task.facts.id.to_string(),
        role: task.facts.role,
        ended_at: task.facts.stopped_at,
        why: why(task),
        exit_code: task.facts.exit_code,
        last_lines: task.facts.last_lines.clone(),
    });
    told.collect()
}

/// What we stopped it for, or what the launcher says.
fn why(task: &Task) -> String {
    let facts = &task.facts;
    match (&task.stopping, &facts.stop_reason, facts.exit_code) {
        (Some(stopping), ..) => stopping.message.clone(),
        (None, Some(why), _) => why.clone(),
        (None, None, Some(0)) => "it ended by itself".to_owned(),
        (None, None, Some(code)) => format!("it ended by itself, with exit code {code}"),
        (None, None, None) => "it is gone, and nothing is known of its end".to_owned(),
    }
}
