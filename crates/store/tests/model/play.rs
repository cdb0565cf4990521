//! Plays a sequence on the model and on a store, and says where they part.

use std::{collections::BTreeSet, time::Duration};

use domain::{
    ids::{RunId, TaskId, WorkerId},
    retry::RetryPolicy,
    role::Role,
    run::{Budget, NewRun, RunStatus},
    settlement::{Change, Outcome, Retry, RunProgress, Spent},
    task::{ClaimedTask, Failure, FailureCode, NewTask, Priority, TaskKind, Usage},
    trigger::Source,
    workflow::{Next, RunEnd, Workflow},
};
use serde_json::json;
use store::{
    Store,
    runs::{Creation, Guard},
    tasks::{AddedTask, ClaimTerms, DeadLetterChoice, TaskPatch},
};

use crate::{
    ask::ask,
    model::Model,
    observe,
    operations::{Again, Draft, End, Held, Lease, Letters, Step},
    request::Request,
};

pub(crate) const POLICY: RetryPolicy = RetryPolicy {
    max_attempts: 2,
    base: Duration::ZERO,
    longest: Duration::ZERO,
    longest_wait: Duration::from_secs(3_600),
};

const HOUR: Duration = Duration::from_secs(3_600);

/// A sequence under way.
pub(crate) struct Play<'a> {
    pub(crate) store: &'a Store,
    pub(crate) model: Model,
    workers: [WorkerId; 2],
    /// Every claim that ever was, with its terms.
    pub(crate) claims: Vec<(ClaimedTask, ClaimTerms)>,
    /// Where keys of this sequence do not meet those of another.
    pub(crate) principal: String,
}

impl<'a> Play<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self {
            store,
            model: Model::default(),
            workers: [WorkerId::new(), WorkerId::new()],
            claims: Vec::new(),
            principal: RunId::new().to_string(),
        }
    }

    /// Plays `steps` and compares everything at the end; with `closely`, after each of them.
    pub(crate) async fn sequence(&mut self, steps: &[Step], closely: bool) -> Result<(), String> {
        for (number, step) in steps.iter().enumerate() {
            let Some(request) = self.resolve(step) else { continue };
            let mut played = self.perform(&request).await;
            if closely && played.is_ok() {
                played = observe::compare(self.store, &self.model).await;
            }
            played.map_err(|error| self.name(&format!("step {number}, {step:?}: {error}")))?;
        }
        let compared = observe::compare(self.store, &self.model).await;
        compared.map_err(|error| self.name(&format!("at the end: {error}")))
    }

    async fn perform(&mut self, request: &Request) -> Result<(), String> {
        let (seen, claimed) = ask(self.store, request).await.map_err(|it| format!("{it:#?}"))?;
        let expected = self.model.apply(request, &seen)?;
        if let Request::Claim(_, terms)
        | Request::ClaimNext(_, _, terms)
        | Request::Settle(_, _, terms, _) = request
        {
            self.claims.extend(claimed.into_iter().map(|task| (task, *terms)));
        }
        if seen == expected {
            return Ok(());
        }
        Err(format!("the store answers\n  {seen:?}\nand should\n  {expected:?}"))
    }

    /// Leaves nothing that another sequence could meet.
    pub(crate) async fn leave(&mut self) -> Result<(), String> {
        let live = self.model.runs.iter().filter(|(_, run)| !run.status.is_final());
        for id in live.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.perform(&Request::CancelRun(id)).await?;
        }
        if self.model.tasks.values().any(|task| task.letter) {
            let all = DeadLetterChoice::Oldest { role: None, limit: 1_000 };
            self.perform(&Request::Purge(all)).await?;
        }
        self.perform(&Request::Publish).await
    }

    /// The same text, with small names instead of ids.
    pub(crate) fn name(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let tasks: BTreeSet<TaskId> = self
            .model
            .history
            .values()
            .flatten()
            .filter_map(|event| event.0)
            .chain(self.model.tasks.keys().copied())
            .collect();
        for (number, id) in tasks.into_iter().enumerate() {
            text = text.replace(&id.to_string(), &format!("t{number}"));
        }
        for (number, id) in self.model.runs.keys().enumerate() {
            text = text.replace(&id.to_string(), &format!("r{number}"));
        }
        text
    }

    // --- what a step means here

    /// The request of a step; none where there is nothing that it could be about.
    pub(crate) fn resolve(&self, step: &Step) -> Option<Request> {
        Some(match step {
            Step::Create { tasks, minutes, key } => self.create(tasks, *minutes, *key),
            Step::Add { run, tasks } => self.add(self.run(*run)?, tasks),
            Step::Claim { tasks, by } => Request::Claim(self.some_tasks(tasks)?, self.terms(*by)),
            Step::ClaimNext { role: of, limit, by } => {
                let roles = of.map_or_else(|| Role::ALL.to_vec(), |it| vec![role(it)]);
                Request::ClaimNext(roles, u32::from(*limit), self.terms(*by))
            }
            Step::Renew { held, by } => {
                let held = held.iter().filter_map(|it| self.claim(Held::Any(*it)));
                let held: BTreeSet<_> = held.map(|(task, _)| (task.id, task.fence)).collect();
                Request::Renew(held.into_iter().collect(), self.terms(*by))
            }
            Step::Settle { ends, claims, by, free_slots } => {
                let claims = self.some_tasks(claims).unwrap_or_default();
                self.settle(ends, claims, *by, *free_slots)?
            }
            Step::Promote { limit } => Request::Promote(u32::from(*limit)),
            Step::Rescue { limit } => Request::Rescue(u32::from(*limit)),
            Step::TimeOut { no_longer } => Request::TimeOut(no_longer.then_some(Duration::ZERO)),
            Step::CancelTask(it) => Request::CancelTask(self.task(*it)?),
            Step::CancelRun(it) => Request::CancelRun(self.run(*it)?),
            Step::Pause(it) => Request::Pause(self.run(*it)?),
            Step::Resume(it) => Request::Resume(self.run(*it)?),
            Step::Update { task, role: to, priority: urgent, attempts } => {
                let patch = TaskPatch {
                    role: to.map(role),
                    priority: urgent.map(priority),
                    max_attempts: attempts.map(i32::from),
                    ..TaskPatch::default()
                };
                Request::Update(self.task(*task)?, patch)
            }
            Step::Metadata { task, value } => Request::Metadata(self.task(*task)?, *value),
            Step::Delete(it) => Request::Delete(self.task(*it)?),
            Step::Dispatch(it) => Request::Dispatch(self.task(*it)?),
            Step::DispatchNext { role: of, limit } => {
                Request::DispatchNext(of.map(role), u32::from(*limit))
            }
            Step::RetryTask(it) => Request::RetryTask(self.task(*it)?),
            Step::RetryRun(it) => Request::RetryRun(self.run(*it)?),
            Step::Replay(letters) => Request::Replay(self.letters(letters)?),
            Step::Purge(letters) => Request::Purge(self.letters(letters)?),
            Step::AnnounceAgain => Request::AnnounceAgain,
            Step::Publish => Request::Publish,
            Step::RemoveOld => Request::RemoveOld,
        })
    }

    fn task(&self, number: u8) -> Option<TaskId> {
        pick(self.model.tasks.keys(), number).copied()
    }

    fn run(&self, number: u8) -> Option<RunId> {
        pick(self.model.runs.keys(), number).copied()
    }

    fn some_tasks(&self, numbers: &[u8]) -> Option<Vec<TaskId>> {
        numbers.iter().map(|it| self.task(*it)).collect()
    }

    fn letters(&self, letters: &Letters) -> Option<DeadLetterChoice> {
        Some(match letters {
            Letters::These(tasks) => DeadLetterChoice::These(self.some_tasks(tasks)?),
            Letters::Oldest { role: of, limit } => {
                DeadLetterChoice::Oldest { role: of.map(role), limit: u32::from(*limit) }
            }
        })
    }

    fn terms(&self, by: Lease) -> ClaimTerms {
        ClaimTerms {
            worker: self.workers[usize::from(by.worker) % 2],
            lease: if by.lasts { HOUR } else { Duration::ZERO },
            max_attempts: i32::from(by.attempts),
        }
    }

    fn create(&self, drafts: &[Draft], minutes: Option<i64>, key: Option<u8>) -> Request {
        let guard = key.map_or(Guard::None, |key| Guard::Idempotency {
            principal: self.principal.clone(),
            // One of the two is used for other requests as well.
            key: format!("key {}", key % 2),
            fingerprint: vec![u8::try_from(drafts.len()).unwrap_or(0)],
        });
        let run = NewRun {
            id: RunId::new(),
            workflow: Workflow::Single,
            goal: "try it".to_owned(),
            repository: None,
            base_ref: None,
            source: Source::Api,
            budget: Budget { max_minutes: minutes, ..Budget::default() },
            priority: Priority::default(),
            metadata: json!({}),
            tasks: self.drafted(drafts, &[]),
        };
        Request::Create(Box::new(Creation { guard, runs: vec![run], tasks: Vec::new() }))
    }

    fn add(&self, run_id: RunId, drafts: &[Draft]) -> Request {
        let there = self.model.tasks.iter().filter(|(_, task)| task.run == run_id);
        let there: Vec<TaskId> = there.map(|(id, _)| *id).collect();
        let new = self.drafted(drafts, &there);
        let tasks = new.into_iter().map(|task| AddedTask { run_id, task }).collect();
        Request::Create(Box::new(Creation { guard: Guard::None, runs: Vec::new(), tasks }))
    }

    /// New tasks, which may depend on those of `there` and on earlier ones of them.
    fn drafted(&self, drafts: &[Draft], there: &[TaskId]) -> Vec<NewTask> {
        let new: Vec<TaskId> = drafts.iter().map(|_| TaskId::new()).collect();
        let anything: Vec<TaskId> = new.iter().chain(self.model.tasks.keys()).copied().collect();
        let task = |(index, draft): (usize, &Draft)| {
            let known: Vec<TaskId> = there.iter().chain(&new[..index]).copied().collect();
            let choice = if draft.wild { &anything } else { &known };
            let needs = draft.needs.iter().filter_map(|it| pick(choice.iter(), *it).copied());
            NewTask {
                id: new[index],
                depends_on: needs.collect(),
                dispatch: draft.dispatch,
                priority: priority(draft.priority),
                max_attempts: draft.attempts.map(i32::from),
                ..NewTask::new(role(draft.role), TaskKind::Single, "try it")
            }
        };
        drafts.iter().enumerate().map(task).collect()
    }

    /// A claim: one that is still good, or any that ever was.
    pub(crate) fn claim(&self, which: Held) -> Option<&(ClaimedTask, ClaimTerms)> {
        let is_good = |(task, terms): &&(ClaimedTask, ClaimTerms)| {
            let stored = self.model.tasks.get(&task.id);
            stored.is_some_and(|it| {
                it.fence == task.fence && it.lease.is_some_and(|(by, _)| by == terms.worker)
            })
        };
        match which {
            Held::Good(number) => pick(self.claims.iter().filter(is_good), number),
            Held::Any(number) => pick(self.claims.iter(), number),
        }
    }

    /// A worker settles several of its own; `by` may be another that never had them.
    fn settle(
        &self,
        ends: &[(Held, End)],
        claims: Vec<TaskId>,
        by: Option<u8>,
        free_slots: u8,
    ) -> Option<Request> {
        let mut ended = BTreeSet::new();
        let mut settlements = Vec::new();
        let mut first = None;
        for (held, end) in ends {
            let Some((task, terms)) = self.claim(*held) else { continue };
            let holder = *first.get_or_insert(*terms);
            if holder.worker != terms.worker {
                continue;
            }
            let mut settlement =
                task.clone().settle(self.outcome(task, end), spent(), &POLICY, 0.0);
            if let Change::Completed { end: end @ Some(_), .. } = &mut settlement.change
                && !ended.insert(task.run_id)
            {
                // A workflow has one step that decides, so no two end their run at once.
                *end = None;
            }
            settlements.push(settlement);
        }
        let mut terms = first?;
        if let Some(other) = by {
            terms.worker = self.workers[usize::from(other) % 2];
        }
        // As a worker does, which has the run of each from its message.
        let run = |id: TaskId| self.model.tasks.get(&id).map(|task| (task.run, id));
        let claims = claims.into_iter().filter_map(run).collect();
        Some(Request::Settle(settlements, claims, terms, usize::from(free_slots)))
    }

    fn outcome(&self, task: &ClaimedTask, end: &End) -> Outcome {
        let retry = |again: &Again| match again {
            Again::AtOnce => Retry::After(Duration::ZERO),
            Again::InAnHour => Retry::After(HOUR),
            Again::Never => Retry::Never,
        };
        match end {
            End::HandBack => Outcome::HandedBack,
            End::Fail(again) => Outcome::Failed {
                failure: Failure::new(FailureCode::ModelTimeout, "slow"),
                retry: retry(again),
            },
            End::Complete { follow_ups, end } => Outcome::Completed {
                result: json!({ "text": "done" }),
                next: Next {
                    follow_ups: self.drafted_after(task.id, follow_ups),
                    end: end.map(|good| RunEnd {
                        status: if good { RunStatus::Completed } else { RunStatus::Failed },
                        outcome: json!({ "good": good }),
                    }),
                },
                run: RunProgress::default(),
            },
        }
    }

    /// What follows a task may depend on it, and on what follows it as well.
    fn drafted_after(&self, task: TaskId, drafts: &[Draft]) -> Vec<NewTask> {
        let tame: Vec<Draft> =
            drafts.iter().map(|it| Draft { wild: false, ..it.clone() }).collect();
        self.drafted(&tame, &[task])
    }
}

/// Each attempt counts one request, so that one that counts twice is seen.
fn spent() -> Spent {
    Spent { usage: Usage { requests: 1, ..Usage::default() }, turns: Vec::new() }
}

fn pick<T>(all: impl Iterator<Item = T>, number: u8) -> Option<T> {
    let all: Vec<T> = all.collect();
    let index = usize::from(number).checked_rem(all.len())?;
    all.into_iter().nth(index)
}

fn role(number: u8) -> Role {
    // Two are enough to tell apart.
    [Role::Implementer, Role::Reviewer][usize::from(number) % 2]
}

fn priority(number: u8) -> Priority {
    Priority::try_from(i64::from(number % 3) * 4).expect("0, 4 and 8 are priorities")
}
