//! What every operation must do, said once more in plain Rust: no SQL, no clock, no locks.
//!
//! It is written from the documentation of the operations and of the states, not from the queries, and calls nothing that the
//! store calls to decide.

mod attempts;
mod creation;
mod requested;
mod revival;

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    history::EventKind,
    ids::{RunId, TaskId, WorkerId},
    role::Role,
    run::RunStatus,
    task::{CancelReason, FailureCode, TaskStatus},
};

use crate::request::{Answer, Request};

/// All that the store should hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) runs: BTreeMap<RunId, Run>,
    pub(crate) tasks: BTreeMap<TaskId, Task>,
    /// Messages that nobody has published: the task, and the attempt that would begin.
    pub(crate) outbox: Vec<(TaskId, i32)>,
    pub(crate) history: BTreeMap<RunId, Vec<Event>>,
    /// Answers by principal and key: fingerprint, and the ids that were made.
    pub(crate) keys: BTreeMap<(String, String), (Vec<u8>, String)>,
    pub(crate) deliveries: BTreeSet<String>,
    /// Counts transactions; what became queued in the same one is equally old.
    pub(crate) tick: u32,
}

/// A line of history: of a task or of the run itself, what happened, and to which attempt.
pub(crate) type Event = (Option<TaskId>, EventKind, Option<i32>);

#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) status: RunStatus,
    /// Whether an attempt ever began.
    pub(crate) started: bool,
    pub(crate) deadline: Deadline,
    /// Whether something but its tasks said how it ended.
    pub(crate) outcome: bool,
    /// Model calls of its settled attempts.
    pub(crate) requests: i64,
}

/// When a run's budget of minutes ends, once it has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    None,
    AtOnce,
    InHours,
}

#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) run: RunId,
    pub(crate) needs: BTreeSet<TaskId>,
    pub(crate) status: TaskStatus,
    pub(crate) role: Role,
    pub(crate) priority: i16,
    pub(crate) dispatched: bool,
    pub(crate) attempt: i32,
    pub(crate) max_attempts: Option<i32>,
    pub(crate) fence: i64,
    /// Who has the lease, and whether that has run out already.
    pub(crate) lease: Option<(WorkerId, bool)>,
    /// While retrying: whether the backoff has ended.
    pub(crate) due: bool,
    pub(crate) error: Option<FailureCode>,
    pub(crate) reason: Option<CancelReason>,
    pub(crate) letter: bool,
    pub(crate) requests: i64,
    pub(crate) metadata: Option<u8>,
    pub(crate) created: u32,
    pub(crate) queued: u32,
}

impl Model {
    /// What `request` does. `seen` is what the store answered, which decides where several answers are right; an answer that
    /// is not among those is an error.
    pub(crate) fn apply(&mut self, request: &Request, seen: &Answer) -> Result<Answer, String> {
        self.tick += 1;
        let rows = self.outbox.len();
        let said = self.perform(request, seen)?;
        let announced = self.outbox.get(rows..).unwrap_or_default().to_vec();
        Ok(Answer::new(said, announced))
    }

    fn perform(&mut self, request: &Request, seen: &Answer) -> Result<String, String> {
        Ok(match request {
            Request::Create(creation) => self.create(creation),
            Request::Claim(ids, terms) => self.claim(ids, *terms),
            Request::ClaimNext(roles, limit, terms) => {
                self.claim_next(roles, *limit, *terms, seen)?
            }
            Request::Renew(held, terms) => self.renew(held, *terms),
            Request::Settle(settlements, claims, terms, slots) => {
                let settled = self.settle(settlements, *terms, *slots, seen)?;
                let ids: Vec<TaskId> = claims.iter().map(|(_, task)| *task).collect();
                format!("{settled}; {}", self.claim(&ids, *terms))
            }
            Request::Promote(limit) => self.promote(*limit, seen)?,
            Request::Rescue(limit) => self.rescue(*limit, seen)?,
            Request::TimeOut(longest) => self.time_out(longest.is_some()),
            Request::CancelTask(id) => self.cancel_task(*id),
            Request::CancelRun(id) => self.cancel_run(*id),
            Request::Pause(id) => self.pause(*id),
            Request::Resume(id) => self.resume(*id),
            Request::Update(id, patch) => self.update(*id, patch),
            Request::Metadata(id, value) => self.patch_metadata(*id, *value),
            Request::Delete(id) => self.delete(*id),
            Request::Dispatch(id) => self.dispatch(*id),
            Request::DispatchNext(role, limit) => self.dispatch_next(*role, *limit),
            Request::RetryTask(id) => self.retry_task(*id),
            Request::RetryRun(id) => self.retry_run(*id),
            Request::Replay(choice) => self.replay(choice, seen)?,
            Request::Purge(choice) => self.purge(choice, seen)?,
            Request::AnnounceAgain => self.announce_again(),
            Request::Publish => {
                self.outbox.clear();
                "published".to_owned()
            }
            Request::RemoveOld => self.remove_old(),
        })
    }

    // --- what is asked of tasks

    fn task(&self, id: TaskId) -> &Task {
        &self.tasks[&id]
    }

    fn change(&mut self, id: TaskId) -> &mut Task {
        self.tasks.get_mut(&id).expect("the model knows the task")
    }

    fn of_run(&self, run: RunId) -> impl Iterator<Item = (TaskId, &Task)> {
        self.tasks.iter().filter(move |(_, task)| task.run == run).map(|(id, task)| (*id, task))
    }

    fn with_status(&self, status: TaskStatus) -> impl Iterator<Item = (TaskId, &Task)> {
        let all = self.tasks.iter().filter(move |(_, task)| task.status == status);
        all.map(|(id, task)| (*id, task))
    }

    fn dependents(&self, id: TaskId) -> Vec<TaskId> {
        self.tasks.iter().filter(|(_, it)| it.needs.contains(&id)).map(|(id, _)| *id).collect()
    }

    fn waits(&self, id: TaskId) -> bool {
        self.task(id).needs.iter().any(|on| self.task(*on).status != TaskStatus::Completed)
    }

    /// Whether it waits for a task that will not complete unless somebody tries that again.
    fn is_hopeless(&self, id: TaskId) -> bool {
        let ended = [TaskStatus::Failed, TaskStatus::Cancelled];
        self.task(id).needs.iter().any(|on| ended.contains(&self.task(*on).status))
    }

    fn is_paused(&self, run: RunId) -> bool {
        self.runs[&run].status == RunStatus::Paused
    }

    fn is_ready(&self, id: TaskId) -> bool {
        let task = self.task(id);
        task.status == TaskStatus::Pending
            && task.dispatched
            && !self.waits(id)
            && !self.is_paused(task.run)
    }

    // --- what happens to tasks

    fn tell(&mut self, id: TaskId, kind: EventKind, attempt: i32) {
        let run = self.task(id).run;
        let attempt = Some(attempt).filter(|it| *it > 0);
        self.history.entry(run).or_default().push((Some(id), kind, attempt));
    }

    fn tell_of_run(&mut self, run: RunId, kind: EventKind) {
        self.history.entry(run).or_default().push((None, kind, None));
    }

    fn announce(&mut self, id: TaskId) {
        self.outbox.push((id, self.task(id).attempt + 1));
    }

    fn queue(&mut self, id: TaskId) {
        let tick = self.tick;
        let task = self.change(id);
        (task.status, task.queued, task.due, task.dispatched) =
            (TaskStatus::Queued, tick, false, true);
        self.tell(id, EventKind::TaskQueued, 0);
    }

    fn queue_and_announce(&mut self, id: TaskId) {
        self.queue(id);
        self.announce(id);
    }

    /// Cancels a task if it is live; says whether it was.
    fn cancel(&mut self, id: TaskId, reason: CancelReason) -> bool {
        if self.task(id).status.is_final() {
            return false;
        }
        let task = self.change(id);
        (task.status, task.reason, task.lease, task.due) =
            (TaskStatus::Cancelled, Some(reason), None, false);
        let attempt = task.attempt;
        self.tell(id, EventKind::TaskCancelled, attempt);
        true
    }

    /// Cancels what waits, directly or not, for a task that will not complete.
    fn cancel_dependents(&mut self, id: TaskId) {
        for waiting in self.dependents(id) {
            if self.cancel(waiting, CancelReason::DependencyFailed) {
                self.cancel_dependents(waiting);
            }
        }
    }

    // --- runs

    /// What a run's tasks make of it.
    pub(crate) fn derived(&self, run: RunId, begun: bool) -> RunStatus {
        use TaskStatus::{Completed, Failed, Pending, Queued, Retrying, Running, Waiting};
        let any = |some: &[TaskStatus]| self.of_run(run).any(|(_, it)| some.contains(&it.status));
        if any(&[Running, Retrying]) {
            RunStatus::Running
        } else if any(&[Queued, Pending]) {
            let begun = begun || any(&[Completed, Waiting]);
            if begun { RunStatus::Running } else { RunStatus::Queued }
        } else if any(&[Waiting]) {
            RunStatus::Waiting
        } else if any(&[Failed]) {
            RunStatus::Failed
        } else if any(&[Completed]) {
            RunStatus::Completed
        } else {
            RunStatus::Cancelled
        }
    }

    /// Brings a run in line with its tasks. One that has ended stays so, unless it is `reopened`.
    fn refresh(&mut self, run: RunId, reopened: bool) {
        let before = self.runs[&run].status;
        if before.is_final() && !reopened {
            return;
        }
        let live = self.of_run(run).any(|(_, task)| !task.status.is_final());
        if before == RunStatus::Paused && live {
            return;
        }
        let begun = self.runs[&run].started && !before.is_final() && before != RunStatus::Queued;
        self.enter(run, self.derived(run, begun));
    }

    /// Ends a run as `status`, and cancels what is live of it.
    fn end(&mut self, run: RunId, status: RunStatus, reason: CancelReason) {
        let left: Vec<TaskId> = self.of_run(run).map(|(id, _)| id).collect();
        for id in left {
            self.cancel(id, reason);
        }
        self.enter(run, status);
        self.runs.get_mut(&run).expect("the run is there").outcome = true;
    }

    fn enter(&mut self, run: RunId, status: RunStatus) {
        let row = self.runs.get_mut(&run).expect("the run is there");
        let before = std::mem::replace(&mut row.status, status);
        if before == status {
            return;
        }
        if !status.is_final() {
            row.outcome = false;
        }
        let kind = match status {
            RunStatus::Queued | RunStatus::Running if before.is_final() => EventKind::RunReopened,
            RunStatus::Queued => EventKind::RunResumed,
            RunStatus::Running => EventKind::RunStarted,
            RunStatus::Waiting => EventKind::RunWaiting,
            RunStatus::Paused => EventKind::RunPaused,
            RunStatus::Completed => EventKind::RunCompleted,
            RunStatus::Failed => EventKind::RunFailed,
            RunStatus::Cancelled => EventKind::RunCancelled,
        };
        self.tell_of_run(run, kind);
    }
}
