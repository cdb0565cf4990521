//! Attempts: how they begin, go on and end.

use domain::{
    history::EventKind,
    ids::TaskId,
    role::Role,
    run::RunStatus,
    settlement::{Change, Settlement},
    task::{CancelReason, FailureCode, TaskStatus},
};
use store::tasks::ClaimTerms;

use super::{Deadline, Model};
use crate::{
    play::POLICY,
    request::{Answer, claim_text, sorted, tasks_in},
};

impl Model {
    pub(super) fn claim(&mut self, ids: &[TaskId], terms: ClaimTerms) -> String {
        let all = ids.iter().collect::<std::collections::BTreeSet<_>>();
        let free =
            |id: &TaskId| self.tasks.get(id).is_some_and(|task| task.status == TaskStatus::Queued);
        let free: Vec<TaskId> = all.into_iter().copied().filter(free).collect();
        let claims: Vec<String> = free.into_iter().map(|id| self.take(id, terms)).collect();
        format!("claimed {}", sorted(claims))
    }

    /// Takes a queued task.
    fn take(&mut self, id: TaskId, terms: ClaimTerms) -> String {
        let task = self.change(id);
        task.status = TaskStatus::Running;
        task.attempt += 1;
        task.fence += 1;
        task.lease = Some((terms.worker, terms.lease.is_zero()));
        let max_attempts = *task.max_attempts.get_or_insert(terms.max_attempts);
        let (attempt, fence, run) = (task.attempt, task.fence, task.run);
        self.tell(id, EventKind::TaskStarted, attempt);
        let row = self.runs.get_mut(&run).expect("the run is there");
        row.started = true;
        if matches!(row.status, RunStatus::Queued | RunStatus::Waiting) {
            row.status = RunStatus::Running;
            self.tell_of_run(run, EventKind::RunStarted);
        }
        claim_text(id, attempt, max_attempts, fence)
    }

    /// The most urgent first, of equally urgent ones the oldest; what is equal in both may come in any order.
    pub(super) fn claim_next(
        &mut self,
        roles: &[Role],
        limit: u32,
        terms: ClaimTerms,
        seen: &Answer,
    ) -> Result<String, String> {
        let queued = self.with_status(TaskStatus::Queued);
        let mut queue: Vec<_> = queued
            .filter(|(_, task)| roles.contains(&task.role))
            .map(|(id, task)| ((task.priority, task.queued), id))
            .collect();
        queue.sort_unstable();
        let taken = tasks_in(&seen.said);
        let ranks = |some: &mut dyn Iterator<Item = &((i16, u32), TaskId)>| {
            some.map(|(rank, _)| *rank).collect::<Vec<_>>()
        };
        let first = ranks(&mut queue.iter().take(usize::try_from(limit).unwrap_or(usize::MAX)));
        let got = ranks(&mut queue.iter().filter(|(_, id)| taken.contains(id)));
        if first != got {
            return Err(format!(
                "of the queue {queue:?} it took {taken:?}, which are not the first {limit}"
            ));
        }
        Ok(self.claim(&taken, terms))
    }

    /// A lease is prolonged by who holds it under the fence that it was given; the others have lost theirs.
    pub(super) fn renew(&mut self, held: &[(TaskId, i64)], terms: ClaimTerms) -> String {
        let mut lost = Vec::new();
        for (id, fence) in held {
            let mine = self.tasks.get_mut(id).filter(|task| {
                task.fence == *fence && task.lease.is_some_and(|(worker, _)| worker == terms.worker)
            });
            match mine {
                Some(task) => task.lease = Some((terms.worker, terms.lease.is_zero())),
                None => lost.push(*id),
            }
        }
        format!("lost {}", sorted(lost))
    }

    /// Each settlement for itself, as if they had come one by one, those that end their run last. What else the batch says of one
    /// task keeps its place before or after.
    pub(super) fn settle(
        &mut self,
        settlements: &[Settlement],
        terms: ClaimTerms,
        free_slots: usize,
        seen: &Answer,
    ) -> Result<String, String> {
        let ends_its_run = |it: &Settlement| {
            self.holds(it, terms) && matches!(it.change, Change::Completed { end: Some(_), .. })
        };
        let last = |index: &usize| {
            let task = settlements[*index].task_id;
            settlements[..=*index].iter().any(|it| it.task_id == task && ends_its_run(it))
        };
        let mut order: Vec<usize> = (0..settlements.len()).collect();
        order.sort_by_key(last);
        let mut applied = vec![false; settlements.len()];
        let mut ready = Vec::new();
        for index in order {
            applied[index] = self.settle_one(&settlements[index], terms, &mut ready);
        }
        // One that ended its run has cancelled what was ready.
        ready.retain(|id| self.task(*id).status == TaskStatus::Queued);
        let results: Vec<_> =
            applied.into_iter().map(|it| if it { "applied" } else { "fenced" }).collect();
        let follow_ups = seen.said.split(';').next().unwrap_or_default();
        let taken: Vec<TaskId> = tasks_in(follow_ups);
        if taken.len() != ready.len().min(free_slots) || !taken.iter().all(|id| ready.contains(id))
        {
            return Err(format!("of {ready:?} it took {taken:?}, with {free_slots} free slots"));
        }
        ready.retain(|id| !taken.contains(id));
        let claims = self.claim(&taken, terms);
        for id in ready {
            self.announce(id);
        }
        Ok(format!("{}, {claims}", results.join(" ")))
    }

    /// Whether the lease of its task is still that with which it was claimed.
    fn holds(&self, settlement: &Settlement, terms: ClaimTerms) -> bool {
        self.tasks.get(&settlement.task_id).is_some_and(|task| {
            task.fence == settlement.fence && task.lease.is_some_and(|(it, _)| it == terms.worker)
        })
    }

    /// Says whether it was applied. What it made ready is queued and not yet announced.
    fn settle_one(
        &mut self,
        settlement: &Settlement,
        terms: ClaimTerms,
        ready: &mut Vec<TaskId>,
    ) -> bool {
        let (id, run) = (settlement.task_id, settlement.run_id);
        if !self.holds(settlement, terms) {
            // Nothing changes but the history, where there still is one.
            if let Some(history) = self.history.get_mut(&run) {
                history.push((Some(id), EventKind::TaskFenced, Some(settlement.attempt)));
            }
            return false;
        }
        let requests = settlement.spent.usage.requests;
        self.change(id).requests += requests;
        self.runs.get_mut(&run).expect("the run is there").requests += requests;
        let attempt = settlement.attempt;
        match &settlement.change {
            Change::Completed { follow_ups, end, .. } => {
                self.leave(id, TaskStatus::Completed, None);
                self.tell(id, EventKind::TaskCompleted, attempt);
                for task in follow_ups {
                    ready.extend(self.insert(run, task));
                }
                for waiting in self.dependents(id) {
                    if self.is_ready(waiting) {
                        self.queue(waiting);
                        ready.push(waiting);
                    }
                }
                if let Some(end) = end {
                    self.end(run, end.status, CancelReason::RunCancelled);
                }
            }
            Change::Retrying { failure, after } => {
                self.leave(id, TaskStatus::Retrying, Some(failure.code));
                self.change(id).due = after.is_zero();
                self.tell(id, EventKind::TaskRetrying, attempt);
            }
            Change::Failed { failure, .. } => self.fail(id, failure.code),
            Change::HandedBack => {
                let paused = self.is_paused(run);
                self.leave(id, if paused { TaskStatus::Pending } else { TaskStatus::Queued }, None);
                let tick = self.tick;
                let task = self.change(id);
                // It has spent no attempt.
                task.attempt -= 1;
                if !paused {
                    task.queued = tick;
                    ready.push(id);
                }
                self.tell(id, EventKind::TaskHandedBack, attempt);
            }
        }
        self.refresh(run, false);
        true
    }

    /// Ends the attempt of a running task.
    fn leave(&mut self, id: TaskId, to: TaskStatus, error: Option<FailureCode>) {
        let task = self.change(id);
        (task.status, task.lease, task.error) = (to, None, error);
    }

    /// It becomes a dead letter, and what waits for it has no hope.
    fn fail(&mut self, id: TaskId, code: FailureCode) {
        self.leave(id, TaskStatus::Failed, Some(code));
        self.change(id).letter = true;
        let attempt = self.task(id).attempt;
        self.tell(id, EventKind::TaskFailed, attempt);
        self.cancel_dependents(id);
    }

    /// Queues retries whose backoff has ended, but for those of paused runs.
    pub(super) fn promote(&mut self, limit: u32, seen: &Answer) -> Result<String, String> {
        let due: Vec<TaskId> = self
            .with_status(TaskStatus::Retrying)
            .filter(|(_, task)| task.due && !self.is_paused(task.run))
            .map(|(id, _)| id)
            .collect();
        let promoted = some_of(&due, limit, seen)?;
        for id in &promoted {
            self.queue_and_announce(*id);
        }
        Ok(format!("promoted {}", sorted(promoted)))
    }

    /// Ends attempts whose lease has run out: another follows at once, if one is left.
    pub(super) fn rescue(&mut self, limit: u32, seen: &Answer) -> Result<String, String> {
        let lapsed = |task: &super::Task| task.lease.is_some_and(|(_, lapsed)| lapsed);
        let expired: Vec<TaskId> = self
            .with_status(TaskStatus::Running)
            .filter(|(_, task)| lapsed(task))
            .map(|(id, _)| id)
            .collect();
        let (mut retried, mut failed) = (Vec::new(), Vec::new());
        for id in some_of(&expired, limit, seen)? {
            let task = self.task(id);
            let (run, attempt) = (task.run, task.attempt);
            if attempt >= task.max_attempts.unwrap_or(POLICY.max_attempts) {
                self.fail(id, FailureCode::LeaseExpired);
                failed.push(id);
            } else {
                self.leave(id, TaskStatus::Retrying, Some(FailureCode::LeaseExpired));
                self.change(id).due = true;
                self.tell(id, EventKind::TaskLeaseExpired, attempt);
                retried.push(id);
            }
            self.refresh(run, false);
        }
        Ok(format!("retried {}; failed {}", sorted(retried), sorted(failed)))
    }

    /// Ends runs past their budget of minutes; where they have none and `no_longer` is said, every run that has started.
    pub(super) fn time_out(&mut self, no_longer: bool) -> String {
        let late = |run: &super::Run| {
            run.started
                && !run.status.is_final()
                && run.status != RunStatus::Paused
                && match run.deadline {
                    Deadline::AtOnce => true,
                    Deadline::InHours => false,
                    Deadline::None => no_longer,
                }
        };
        let late: Vec<_> = self.runs.iter().filter(|(_, run)| late(run)).map(|it| *it.0).collect();
        for run in &late {
            self.end(*run, RunStatus::Failed, CancelReason::RunTimedOut);
        }
        format!("timed out {}", sorted(late))
    }
}

/// Those of `all` that the store chose, where it was to choose up to `limit`.
pub(super) fn some_of(all: &[TaskId], limit: u32, seen: &Answer) -> Result<Vec<TaskId>, String> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if all.len() <= limit {
        return Ok(all.to_vec());
    }
    let chosen = tasks_in(&seen.said);
    if chosen.len() != limit || !chosen.iter().all(|id| all.contains(id)) {
        return Err(format!("of {all:?} it chose {chosen:?}, with a limit of {limit}"));
    }
    Ok(chosen)
}
