//! What people ask of tasks and runs.

use domain::{
    history::EventKind,
    ids::{RunId, TaskId},
    role::Role,
    run::RunStatus,
    task::{CancelReason, TaskStatus},
};
use store::tasks::TaskPatch;

use super::Model;
use crate::request::sorted;

impl Model {
    /// What is said of a task after a change to it.
    pub(super) fn done(&self, id: TaskId) -> String {
        format!("done: {}", self.task(id).status)
    }

    fn done_run(&self, id: RunId) -> String {
        format!("done: {}", self.runs[&id].status)
    }

    pub(super) fn cancel_task(&mut self, id: TaskId) -> String {
        let Some(task) = self.tasks.get(&id) else { return missing() };
        let run = task.run;
        if !self.cancel(id, CancelReason::Requested) {
            return not_now(self.task(id).status);
        }
        self.cancel_dependents(id);
        self.refresh(run, false);
        self.done(id)
    }

    pub(super) fn cancel_run(&mut self, id: RunId) -> String {
        let Some(run) = self.runs.get(&id) else { return missing() };
        if run.status.is_final() {
            return not_now(run.status);
        }
        self.end(id, RunStatus::Cancelled, CancelReason::RunCancelled);
        self.done_run(id)
    }

    pub(super) fn pause(&mut self, id: RunId) -> String {
        let Some(run) = self.runs.get(&id) else { return missing() };
        if run.status.is_final() || run.status == RunStatus::Paused {
            return not_now(run.status);
        }
        let queued = self.of_run(id).filter(|(_, task)| task.status == TaskStatus::Queued);
        for task in queued.map(|(task, _)| task).collect::<Vec<_>>() {
            self.change(task).status = TaskStatus::Pending;
            self.tell(task, EventKind::TaskHeld, 0);
        }
        self.enter(id, RunStatus::Paused);
        self.done_run(id)
    }

    pub(super) fn resume(&mut self, id: RunId) -> String {
        let Some(run) = self.runs.get_mut(&id) else { return missing() };
        if run.status != RunStatus::Paused {
            return not_now(run.status);
        }
        // Not paused, so that what is ready can be seen; which of the two it is comes from the tasks.
        run.status = RunStatus::Queued;
        let begun = run.started;
        let all: Vec<TaskId> = self.of_run(id).map(|(task, _)| task).collect();
        for task in all {
            if self.is_ready(task) {
                self.queue_and_announce(task);
            }
        }
        let status = self.derived(id, begun);
        self.runs.get_mut(&id).expect("the run is there").status = status;
        self.tell_of_run(id, EventKind::RunResumed);
        self.done_run(id)
    }

    pub(super) fn update(&mut self, id: TaskId, patch: &TaskPatch) -> String {
        let Some(task) = self.tasks.get_mut(&id) else { return missing() };
        if task.status == TaskStatus::Running || task.status.is_final() {
            return not_now(task.status);
        }
        if *patch == TaskPatch::default() {
            return self.done(id);
        }
        let moved = patch.role.is_some_and(|role| role != task.role);
        task.role = patch.role.unwrap_or(task.role);
        task.priority = patch.priority.map_or(task.priority, domain::task::Priority::get);
        if let Some(attempts) = patch.max_attempts {
            // One attempt is always left.
            task.max_attempts = Some(attempts.max(task.attempt + 1));
        }
        let again = moved && task.status == TaskStatus::Queued;
        self.tell(id, EventKind::TaskUpdated, 0);
        if again {
            // Its message lies in the queue of the other role.
            self.announce(id);
        }
        self.done(id)
    }

    pub(super) fn patch_metadata(&mut self, id: TaskId, value: Option<u8>) -> String {
        let Some(task) = self.tasks.get_mut(&id) else { return missing() };
        task.metadata = value;
        format!("metadata {value:?}")
    }

    pub(super) fn delete(&mut self, id: TaskId) -> String {
        let Some(task) = self.tasks.get(&id) else { return missing() };
        let (run, before) = (task.run, task.status);
        self.cancel(id, CancelReason::Requested);
        if before != TaskStatus::Completed {
            self.cancel_dependents(id);
        }
        self.refresh(run, false);
        let attempt = self.task(id).attempt;
        self.tell(id, EventKind::TaskDeleted, attempt);
        self.forget(id);
        "deleted".to_owned()
    }

    fn forget(&mut self, id: TaskId) {
        self.tasks.remove(&id);
        for task in self.tasks.values_mut() {
            task.needs.remove(&id);
        }
    }

    pub(super) fn dispatch(&mut self, id: TaskId) -> String {
        let Some(task) = self.tasks.get_mut(&id) else { return missing() };
        if task.status != TaskStatus::Pending {
            return not_now(task.status);
        }
        task.dispatched = true;
        if self.is_ready(id) {
            self.queue_and_announce(id);
        }
        self.done(id)
    }

    /// The oldest of those that nothing but a dispatch holds back.
    pub(super) fn dispatch_next(&mut self, role: Option<Role>, limit: u32) -> String {
        let held = self.with_status(TaskStatus::Pending).filter(|(id, task)| {
            !task.dispatched
                && role.is_none_or(|role| role == task.role)
                && !self.is_paused(task.run)
                && !self.waits(*id)
        });
        let mut held: Vec<_> = held.map(|(id, task)| (task.created, id)).collect();
        held.sort_unstable();
        held.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let chosen: Vec<TaskId> = held.into_iter().map(|(_, id)| id).collect();
        for id in &chosen {
            self.queue_and_announce(*id);
        }
        format!("dispatched {}", sorted(chosen))
    }

    /// Announces every queued task anew.
    pub(super) fn announce_again(&mut self) -> String {
        let queued: Vec<TaskId> = self.with_status(TaskStatus::Queued).map(|(id, _)| id).collect();
        for id in queued {
            self.announce(id);
        }
        "announced".to_owned()
    }

    /// Removes every run that has ended, with all of its.
    pub(super) fn remove_old(&mut self) -> String {
        self.runs.retain(|_, run| !run.status.is_final());
        let Self { runs, tasks, history, .. } = self;
        tasks.retain(|_, task| runs.contains_key(&task.run));
        history.retain(|run, _| runs.contains_key(run));
        "removed".to_owned()
    }
}

pub(super) fn missing() -> String {
    "missing".to_owned()
}

pub(super) fn not_now(status: impl std::fmt::Display) -> String {
    format!("not now: {status}")
}
