//! What a step works with: its task, an agent to ask, the run's repository, and the lease that allows it all.

use agent_executor::{AnswerForm, Assignment, ExecutionError, Report, Silent};
use domain::{
    run::branch_of,
    settlement::Spent,
    task::{ClaimedTask, TaskKind},
    workflow::grow,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::time;
use workspace::{Author, Checkout, OpenRequest};

use super::{context::Context, error::StepError};
use crate::{Inner, running::Lease, trouble::Trouble};

/// See the module.
pub(super) struct Desk<'a> {
    worker: &'a Inner,
    pub(super) task: &'a ClaimedTask,
    lease: &'a Lease,
    spent: Spent,
}

/// An answer, as the agent gave it and as its type.
pub(super) struct Answer<T> {
    pub(super) typed: T,
    /// For the task's result: the answer with what a person should know of how it came about.
    pub(super) result: Value,
}

impl<'a> Desk<'a> {
    pub(super) fn new(worker: &'a Inner, task: &'a ClaimedTask, lease: &'a Lease) -> Self {
        Self { worker, task, lease, spent: Spent::default() }
    }

    /// What was used and said, whatever came of it.
    pub(super) fn into_spent(self) -> Spent {
        self.spent
    }

    /// The payload as the workflow made it.
    pub(super) fn input<T: DeserializeOwned>(&self) -> Result<T, StepError> {
        Ok(grow::input(self.task)?)
    }

    /// A context with as much room as the settings give.
    pub(super) fn context(&self) -> Context {
        Context::new(self.worker.config.context_bytes)
    }

    /// Asks the agent of the task's role.
    pub(super) async fn ask<T: DeserializeOwned>(
        &mut self,
        context: Context,
    ) -> Result<Answer<T>, StepError> {
        self.check_budget()?;
        let task = self.task;
        let assignment = Assignment {
            task_id: task.id,
            run_id: task.run_id,
            attempt: task.attempt,
            role: task.role,
            kind: task.kind,
            description: task.description.clone(),
            payload: shown_payload(task),
            context: context.into_parts(),
            answer: AnswerForm::of(task.kind),
        };
        let asked = self.worker.executor.execute(&assignment, &Silent, self.lease.stopped()).await;
        match asked {
            Ok(Report { output, notes, usage, turns }) => {
                self.spent.usage += usage;
                self.spent.turns.extend(turns);
                let typed = T::deserialize(&output)
                    .map_err(|error| StepError::Answer(error.to_string()))?;
                Ok(Answer { typed, result: with_notes(output, notes) })
            }
            Err(ExecutionError { kind, failure, usage, mut turns }) => {
                self.spent.usage += usage;
                self.spent.turns.append(&mut turns);
                Err(StepError::Agent(Box::new(ExecutionError { kind, failure, usage, turns })))
            }
        }
    }

    /// Opens the run's branch: at its head where it has been pushed, else at the run's base.
    pub(super) async fn open(&self) -> Result<Checkout, StepError> {
        let run = &self.task.run;
        let Some(repository) = &run.repository else {
            return Err(StepError::InvalidInput(format!(
                "a {} task needs a run with a repository",
                self.task.kind
            )));
        };
        let request = OpenRequest {
            repository: repository.parse()?,
            base_ref: run.base_ref.clone(),
            base_commit: run.base_commit.as_deref().map(str::parse).transpose()?,
            branch: branch_of(self.task.run_id),
        };
        Ok(self.worker.workspaces.open(request, self.lease.stopped()).await?)
    }

    /// Who commits. The time is the task's, so that the same change makes the same commit in every attempt.
    pub(super) fn author(&self) -> Author {
        let author = &self.worker.config.author;
        Author {
            name: author.name.clone(),
            email: author.email.clone(),
            unix_seconds: Some(self.task.created_at.timestamp()),
        }
    }

    /// Makes sure that this worker still holds the task, by the store's word and not by its own: what is done next is seen by
    /// others. Waits for a store that is away as long as the lease may live.
    pub(super) async fn confirm_lease(&self) -> Result<(), StepError> {
        let mut trouble = Trouble::with("confirm a lease before it pushes");
        let lease = self.lease;
        while !lease.stopped().is_cancelled() {
            match self.worker.store.renew_leases(vec![lease.claim], self.worker.terms()).await {
                Ok(lost) if lost.is_empty() => return Ok(()),
                Ok(_lost) => {
                    lease.stop(crate::running::Stop::LeaseLost);
                }
                Err(error) => {
                    let wait = time::sleep(trouble.failed(&error));
                    lease.stopped().run_until_cancelled(wait).await;
                }
            }
        }
        Err(StepError::LeaseLost)
    }

    fn check_budget(&self) -> Result<(), StepError> {
        let usage = &self.task.run.usage;
        let used = usage.tokens_in.saturating_add(usage.tokens_out);
        match self.task.run.budget.max_tokens {
            Some(max_tokens) if used >= max_tokens => {
                Err(StepError::BudgetSpent { max_tokens, used })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// The payload for the agent. One that the workflow made is told in the context, part by part, and not once more.
fn shown_payload(task: &ClaimedTask) -> Value {
    match task.kind {
        TaskKind::Single | TaskKind::Plan => task.payload.clone(),
        TaskKind::Implement | TaskKind::Review | TaskKind::Test | TaskKind::Decide => {
            let stub = task.payload.get("stub").map(|it| ("stub".to_owned(), it.clone()));
            Value::Object(stub.into_iter().collect())
        }
    }
}

/// The answer with the notes, in the place for whatever has no other.
fn with_notes(mut output: Value, notes: Vec<String>) -> Value {
    if !notes.is_empty()
        && let Value::Object(members) = &mut output
    {
        let place: &mut Map<String, Value> = match members.get_mut("metadata") {
            Some(Value::Object(_)) => {
                members["metadata"].as_object_mut().expect("seen to be an object")
            }
            Some(_) | None => members,
        };
        place.insert("notes".to_owned(), json!(notes));
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_go_where_an_answer_has_room_for_them() {
        let note = || vec!["made up".to_owned()];
        assert_eq!(with_notes(json!({"text": "x"}), Vec::new()), json!({"text": "x"}));
        assert_eq!(
            with_notes(json!({"text": "x"}), note()),
            json!({"text": "x", "notes": ["made up"]})
        );
        assert_eq!(
            with_notes(json!({"metadata": {"a": 1}}), note()),
            json!({"metadata": {"a": 1, "notes": ["made up"]}})
        );
        assert_eq!(with_notes(json!("text"), note()), json!("text"));
    }
}
