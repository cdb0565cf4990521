//! Tasks: creation, the worker's claim, renew and settle, and what clients ask of them.

use std::time::Duration;

use domain::{
    ids::{RunId, TaskId, WorkerId},
    message::OutboxMessage,
    role::Role,
    settlement::Settlement,
    task::{ClaimedTask, NewTask, Priority, Task, TaskStatus},
};
use serde_json::Value;

use crate::{Page, PageRequest, operations::operations};

/// The terms under which a worker takes tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimTerms {
    pub worker: WorkerId,
    /// How long the lease lasts without a renewal.
    pub lease: Duration,
    /// Attempts of a task that does not say its own number.
    pub max_attempts: i32,
}

/// What a worker settles, and claims with it, in one transaction.
#[derive(Clone, Debug)]
pub struct SettleRequest {
    pub settlements: Vec<Settlement>,
    /// Tasks to claim, with their runs: those of them that are queued once the settlements are applied. A run that somebody else
    /// has locked is not waited for.
    pub claims: Vec<(RunId, TaskId)>,
    pub terms: ClaimTerms,
    /// Follow-ups of these roles are claimed at once, ...
    pub roles: Vec<Role>,
    /// ... up to as many as the worker has free slots for.
    pub free_slots: usize,
}

/// What became of one settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    Applied,
    /// The lease was lost, or the task cancelled: nothing changed but the history, which says so.
    Fenced,
}

/// What became of a batch of settlements.
#[derive(Debug, Default)]
pub struct SettleReport {
    /// In the order of the request.
    pub results: Vec<Settled>,
    /// Follow-ups that this worker now holds the lease of.
    pub follow_ups: Vec<ClaimedTask>,
    /// Those of the tasks to claim that it now holds the lease of.
    pub claimed: Vec<ClaimedTask>,
    /// Those whose run was locked, or is not there.
    pub left: Vec<TaskId>,
    /// Messages of follow-ups for others.
    pub announce: Vec<OutboxMessage>,
}

/// Which tasks to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFilter {
    pub status: Option<TaskStatus>,
    pub role: Option<Role>,
    pub run_id: Option<RunId>,
    /// Part of the description, in any case.
    pub text: Option<String>,
}

/// Changes to a task that is not yet running. None leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskPatch {
    pub description: Option<String>,
    pub payload: Option<Value>,
    pub priority: Option<Priority>,
    pub role: Option<Role>,
    pub max_attempts: Option<i32>,
}

/// What became of a change that somebody asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Changed<T> {
    Done {
        now: T,
        announce: Vec<OutboxMessage>,
    },
    Missing,
    /// Its status does not allow it.
    NotNow(TaskStatus),
}

/// A letter in the dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    pub task_id: TaskId,
    pub run_id: RunId,
    pub role: Role,
    pub reason: domain::settlement::DeadLetterReason,
    pub error: domain::task::Failure,
    pub attempts: i32,
    pub at: chrono::DateTime<chrono::Utc>,
}

/// Which dead letters a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeadLetterChoice {
    These(Vec<TaskId>),
    /// Every one of a role, or of all, up to a number.
    Oldest {
        role: Option<Role>,
        limit: u32,
    },
}

/// What a replay or a purge did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLettersDone {
    pub task_ids: Vec<TaskId>,
    pub announce: Vec<OutboxMessage>,
}

/// One turn of a transcript, with the attempt that it belongs to.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptTurn {
    pub attempt: i32,
    #[serde(flatten)]
    pub turn: domain::transcript::Turn,
}

operations! {
    /// Takes the lease of those of these tasks that are queued. The others are somebody else's, or not due.
    write claim_tasks(ids: Vec<TaskId>, terms: ClaimTerms) -> Vec<ClaimedTask> = claim::claim;

    /// Takes the lease of up to `limit` queued tasks of these roles, the most urgent and oldest first.
    write claim_next_tasks(roles: Vec<Role>, limit: u32, terms: ClaimTerms) -> Vec<ClaimedTask> = claim::claim_next;

    /// Prolongs leases. Gives back the tasks of which the lease is lost (expired and taken over, cancelled or deleted).
    write renew_leases(held: Vec<(TaskId, i64)>, terms: ClaimTerms) -> Vec<TaskId> = claim::renew;

    /// Ends attempts: tasks, history, transcripts, dead letters, dependents, follow-ups, runs and outbox in one
    /// transaction. Each settlement stands for itself: one that is fenced does not hinder the others. What is claimed with
    /// them is claimed as by [`Self::claim_tasks`] right after, but for what is `left`.
    write settle_tasks(request: SettleRequest) -> SettleReport = settle::settle;

    /// Tasks that were cancelled in the last `within`; a worker asks for them to stop what it runs of them.
    read recently_cancelled(within: Duration) -> Vec<TaskId> = claim::recently_cancelled;

    read find_task(id: TaskId) -> Option<Task> = tasks::find;

    /// Those of these tasks that exist, in no order.
    read find_tasks(ids: Vec<TaskId>) -> Vec<Task> = tasks::find_many;

    read list_tasks(filter: TaskFilter, page: PageRequest) -> Page<Task> = tasks::list;

    /// Changes a task that is pending, queued, retrying or waiting.
    write update_task(id: TaskId, patch: TaskPatch) -> Changed<Task> = tasks::update;

    /// Deletes a task; one that is live is cancelled first. The history of its run keeps what happened to it.
    write delete_task(id: TaskId) -> Changed<()> = tasks::delete;

    /// Queues a pending task, or marks it to be queued when its dependencies complete.
    write dispatch_task(id: TaskId) -> Changed<Task> = tasks::dispatch;

    /// Queues up to `limit` of the oldest pending tasks that nothing but a dispatch holds back.
    write dispatch_next_tasks(role: Option<Role>, limit: u32) -> Changed<Vec<TaskId>> = tasks::dispatch_next;

    /// Cancels a live task, and those that depend on it.
    write cancel_task(id: TaskId) -> Changed<Task> = tasks::cancel;

    /// Queues a failed or cancelled task again, with its attempts counted from zero, or ends the backoff of a retrying one.
    write retry_task(id: TaskId) -> Changed<Task> = dead_letters::retry;

    /// Applies a JSON merge patch (RFC 7396) to the metadata; gives back the result.
    write patch_task_metadata(id: TaskId, patch: Value) -> Changed<Value> = tasks::patch_metadata;

    /// Every turn of every attempt, in order.
    read transcript(id: TaskId) -> Vec<AttemptTurn> = transcripts::of_task;

    read list_dead_letters(role: Option<Role>, page: PageRequest) -> Page<DeadLetter> = dead_letters::list;

    read count_dead_letters(role: Option<Role>) -> i64 = dead_letters::count;

    /// Queues dead letters again. Their runs live again, and tasks cancelled for want of them wait again.
    write replay_dead_letters(choice: DeadLetterChoice) -> DeadLettersDone = dead_letters::replay;

    /// Dismisses dead letters: the tasks stay failed, the queue forgets them.
    write purge_dead_letters(choice: DeadLetterChoice) -> DeadLettersDone = dead_letters::purge;
}

/// Tasks to be added to a run that exists.
#[derive(Clone, Debug, PartialEq)]
pub struct AddedTask {
    pub run_id: RunId,
    pub task: NewTask,
}
