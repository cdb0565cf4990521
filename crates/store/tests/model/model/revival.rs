//! Replay: what has ended begins anew.

use std::collections::BTreeSet;

use domain::{
    history::EventKind,
    ids::{RunId, TaskId},
    run::RunStatus,
    task::{CancelReason, TaskStatus},
};
use store::tasks::DeadLetterChoice;

use super::{
    Model,
    attempts::some_of,
    requested::{missing, not_now},
};
use crate::request::{Answer, sorted};

impl Model {
    pub(super) fn retry_task(&mut self, id: TaskId) -> String {
        let Some(task) = self.tasks.get(&id) else { return missing() };
        let status = task.status;
        match status {
            TaskStatus::Failed | TaskStatus::Cancelled if !self.is_hopeless(id) => {
                self.revive(&[id]);
            }
            TaskStatus::Retrying => {
                // In a paused run it comes as soon as that is resumed.
                let run = task.run;
                self.change(id).due = true;
                if !self.is_paused(run) {
                    self.queue_and_announce(id);
                }
            }
            TaskStatus::Pending
            | TaskStatus::Queued
            | TaskStatus::Running
            | TaskStatus::Waiting
            | TaskStatus::Completed
            | TaskStatus::Failed
            | TaskStatus::Cancelled => return not_now(status),
        }
        self.done(id)
    }

    pub(super) fn retry_run(&mut self, id: RunId) -> String {
        let Some(run) = self.runs.get(&id) else { return missing() };
        let failed = self.of_run(id).filter(|(_, task)| task.status == TaskStatus::Failed);
        let failed: Vec<TaskId> = failed.map(|(task, _)| task).collect();
        if run.status != RunStatus::Failed || failed.is_empty() {
            return not_now(run.status);
        }
        self.revive(&failed);
        format!("done: {}", self.runs[&id].status)
    }

    pub(super) fn replay(
        &mut self,
        choice: &DeadLetterChoice,
        seen: &Answer,
    ) -> Result<String, String> {
        let chosen = self.chosen(choice, seen)?;
        self.revive(&chosen);
        Ok(format!("replayed {}", sorted(chosen)))
    }

    pub(super) fn purge(
        &mut self,
        choice: &DeadLetterChoice,
        seen: &Answer,
    ) -> Result<String, String> {
        let chosen = self.chosen(choice, seen)?;
        for id in &chosen {
            self.change(*id).letter = false;
            self.tell(*id, EventKind::DeadLetterPurged, 0);
        }
        Ok(format!("purged {}", sorted(chosen)))
    }

    fn chosen(&self, choice: &DeadLetterChoice, seen: &Answer) -> Result<Vec<TaskId>, String> {
        let letters = self.tasks.iter().filter(|(_, task)| task.letter);
        match choice {
            DeadLetterChoice::These(ids) => {
                Ok(letters.filter(|(id, _)| ids.contains(id)).map(|(id, _)| *id).collect())
            }
            DeadLetterChoice::Oldest { role, limit } => {
                // A letter keeps the role that its task had when it failed, which never changes after.
                let of_role = letters.filter(|(_, task)| role.is_none_or(|it| it == task.role));
                let all: Vec<TaskId> = of_role.map(|(id, _)| *id).collect();
                some_of(&all, *limit, seen)
            }
        }
    }

    /// Lets ended tasks begin anew. What was cancelled for want of them waits again, unless it waits for another that has
    /// ended as well; their runs live again.
    fn revive(&mut self, ids: &[TaskId]) {
        for id in ids {
            self.begin_anew(*id, EventKind::TaskReplayed);
            // Asking for it again is asking for it to run.
            self.change(*id).dispatched = true;
        }
        let mut open = ids.to_vec();
        while let Some(id) = open.pop() {
            for waiting in self.dependents(id) {
                let for_want = self.task(waiting).status == TaskStatus::Cancelled
                    && self.task(waiting).reason == Some(CancelReason::DependencyFailed);
                if for_want && !self.is_hopeless(waiting) {
                    self.begin_anew(waiting, EventKind::TaskRevived);
                    open.push(waiting);
                }
            }
        }
        for id in ids {
            if self.is_ready(*id) {
                self.queue_and_announce(*id);
            }
        }
        let runs: BTreeSet<RunId> = ids.iter().map(|id| self.task(*id).run).collect();
        for run in runs {
            self.refresh(run, true);
        }
    }

    fn begin_anew(&mut self, id: TaskId, event: EventKind) {
        let task = self.change(id);
        (task.status, task.attempt, task.error, task.reason, task.letter) =
            (TaskStatus::Pending, 0, None, None, false);
        self.tell(id, event, 0);
    }
}
