//! What the control API and the Rust API both do.

use crate::state::Inner;
use crate::tasks::{Status, Stop, Told};
use crate::wire::short_name;
use crate::{events, life, process};
use rustix::process::Signal;
use serde_json::{Value, json};

/// All tasks that ever were, as DescribeTasks tells them, with `pid` and `log`, in the order of acceptance.
pub fn tasks(inner: &Inner) -> Vec<Value> {
    let state = inner.lock();
    let mut tasks: Vec<_> = state.tasks.values().collect();
    tasks.sort_by_key(|task| task.number);
    let described = tasks.into_iter().map(|task| {
        let mut described = task.describe(&inner.settings, true);
        described["pid"] = json!(task.pid);
        described["log"] = json!(inner.settings.dir.join(format!("{}.log", task.id)));
        described
    });
    described.collect()
}

/// Sends SIGKILL to the process of a task's container. False if it has none.
pub fn kill(inner: &Inner, task: &str) -> bool {
    end(inner, task, false)
}

/// Kills a task's container as the kernel does when it uses too much memory. False if it does not run.
pub fn run_out_of_memory(inner: &Inner, task: &str) -> bool {
    end(inner, task, true)
}

fn end(inner: &Inner, name: &str, out_of_memory: bool) -> bool {
    let mut state = inner.lock();
    let Some(task) = state.tasks.get_mut(short_name(name)) else { return false };
    if !matches!(task.status, Status::Running | Status::Deactivating | Status::Stopping) {
        return false;
    }
    match task.pid {
        Some(pid) => process::signal(pid, Signal::KILL),
        None if inner.settings.run_processes => return false,
        None => {
            task.tell.send_replace(Told::Ended(137));
        }
    }
    task.out_of_memory = out_of_memory;
    true
}

/// Spot takes a task's capacity back. False if it stops already.
pub fn interrupt(inner: &Inner, name: &str) -> bool {
    ask_to_stop(inner, name, Stop::spot())
}

/// AWS retires a task. False if it stops already.
pub fn retire(inner: &Inner, name: &str) -> bool {
    ask_to_stop(inner, name, Stop::retired())
}

/// A task is stopped to even out zones. False if it stops already.
pub fn rebalance(inner: &Inner, name: &str) -> bool {
    ask_to_stop(inner, name, Stop::rebalanced())
}

/// SIGTERM, and after the stop timeout SIGKILL.
fn ask_to_stop(inner: &Inner, name: &str, stop: Stop) -> bool {
    let mut state = inner.lock();
    let id = short_name(name);
    if state.tasks.get(id).is_none_or(|task| task.to_stop) {
        return false;
    }
    life::ask_to_stop(&mut state, &inner.settings, id, stop);
    true
}

/// AWS Health tells that a task will be retired. False if there is no such task.
pub fn announce_retirement(inner: &Inner, name: &str) -> bool {
    let mut state = inner.lock();
    let Some(arn) = state.tasks.get(short_name(name)).map(|task| task.arn(&inner.settings)) else { return false };
    state.tell(events::retirement_notice(&inner.settings, &arn));
    true
}

/// There is such a cluster.
pub fn add_cluster(inner: &Inner, name: &str) {
    // Creating a cluster cannot fail.
    let _ = inner.lock().clusters.create(&inner.settings, &json!({"clusterName": name}));
}

/// Kills every process of every task; none is started after this.
pub fn end_all(inner: &Inner) {
    let groups: Vec<i32> = {
        let mut state = inner.lock();
        state.closing = true;
        state.tasks.values().filter_map(|task| task.pid).collect()
    };
    if inner.settings.run_processes {
        groups.iter().for_each(|group| process::kill_group(*group));
        process::kill_all(None, &inner.metadata_base());
    }
}
