//! Agents that do what a test says.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use agent_executor::{
    AgentExecutor, Assignment, Description, ErrorKind, ExecutionError, Progress, Report,
};
use async_trait::async_trait;
use domain::{
    role::Role,
    task::{Failure, FailureCode, Usage},
};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub(crate) type Answer = Result<Report, ExecutionError>;
type Play = dyn Fn(Assignment) -> BoxFuture<'static, Answer> + Send + Sync;

/// An agent that plays a script, and remembers what it was asked.
pub(crate) struct Script {
    play: Box<Play>,
    seen: Mutex<Vec<Assignment>>,
    at_work: AtomicUsize,
    most_at_work: AtomicUsize,
}

impl Script {
    pub(crate) fn new<F>(play: impl Fn(Assignment) -> F + Send + Sync + 'static) -> Arc<Self>
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        Arc::new(Self {
            play: Box::new(move |assignment| Box::pin(play(assignment))),
            seen: Mutex::default(),
            at_work: AtomicUsize::new(0),
            most_at_work: AtomicUsize::new(0),
        })
    }

    /// Answers at once, always the same.
    pub(crate) fn answering() -> Arc<Self> {
        Self::new(|_| async { done() })
    }

    /// Answers as soon as there is a permit at the gate for it. Does not listen when it is cancelled.
    pub(crate) fn gated(gate: &Arc<Semaphore>) -> Arc<Self> {
        let gate = gate.clone();
        Self::new(move |_| {
            let gate = gate.clone();
            async move {
                gate.acquire().await.expect("tests never close a gate").forget();
                done()
            }
        })
    }

    /// Never answers.
    pub(crate) fn silent() -> Arc<Self> {
        Self::new(|_| std::future::pending())
    }

    pub(crate) fn seen(&self) -> Vec<Assignment> {
        self.seen.lock().unwrap().clone()
    }

    /// How many assignments it works on now.
    pub(crate) fn at_work(&self) -> usize {
        self.at_work.load(Ordering::SeqCst)
    }

    /// How many it has worked on at once, at most.
    pub(crate) fn most_at_work(&self) -> usize {
        self.most_at_work.load(Ordering::SeqCst)
    }
}

/// Counts an assignment as long as it is worked on, also if that is dropped.
struct AtWork<'a>(&'a Script);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl AgentExecutor for Script {
    async fn execute(
        &self,
        assignment: &Assignment,
        _progress: &dyn Progress,
        _cancel: &CancellationToken,
    ) -> Answer {
        self.seen.lock().unwrap().push(assignment.clone());
        let now = self.at_work.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_work.fetch_max(now, Ordering::SeqCst);
        let _at_work = AtWork(self);
        (self.play)(assignment.clone()).await
    }

    fn describe(&self, _role: Role) -> Description {
        Description { executor: "script", model: None }
    }
}

/// The answer to a single task.
pub(crate) fn done() -> Answer {
    answer(json!({ "text": "as you wish" }))
}

pub(crate) fn answer(output: Value) -> Answer {
    let usage = Usage { requests: 1, tokens_in: 10, tokens_out: 5, model_ms: 1 };
    Ok(Report { output, notes: Vec::new(), usage, turns: Vec::new() })
}

pub(crate) fn failure(kind: ErrorKind) -> Answer {
    let failure =
        Failure { code: FailureCode::ModelUnavailable, message: "no model today".to_owned() };
    Err(ExecutionError { kind, failure, usage: Usage::default(), turns: Vec::new() })
}
