//! What was asked, and how it ended.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use domain::role::Role;
use tokio::sync::watch;

use super::{Expected, Form, Said, Step, Wire, inspect, request::Request, say::Tokens};

/// One request.
#[derive(Clone, Debug)]
pub struct Asked {
    pub wire: Wire,
    pub form: Form,
    /// The role that the system message speaks to.
    pub role: Option<Role>,
    pub messages: Vec<Said>,
    pub at: Instant,
    pub outcome: Outcome,
    /// When it ended.
    pub ended: Option<Instant>,
    /// Tokens read and written, as the answer says.
    pub tokens: (u64, u64),
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Pending,
    /// The whole answer was sent.
    Answered,
    Refused(u16),
    /// The answer broke off in its middle.
    Cut,
    /// The client went away before it had its answer.
    Abandoned,
}

/// Says what becomes of a request that the script has nothing for.
pub(super) type Answering = Box<dyn Fn(Form, &[Said]) -> Step + Send + Sync>;

/// What the server and its handle share.
pub(super) struct Shared {
    pub(super) expected: Expected,
    pub(super) otherwise: Option<Answering>,
    pub(super) state: Mutex<State>,
    pub(super) changed: watch::Sender<()>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) steps: HashMap<Form, VecDeque<Step>>,
    pub(super) asked: Vec<Asked>,
    pub(super) violations: Vec<String>,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a request and takes its step; what is wrong with it is recorded too.
    pub(super) fn begin(
        &self,
        request: &Request,
        authorization: Option<&str>,
    ) -> (usize, Option<Step>) {
        let mut wrong = inspect::inspect(request, authorization, &self.expected);
        let mut state = self.state();
        let index = state.asked.len();
        let step = state.steps.get_mut(&request.form).and_then(VecDeque::pop_front);
        let step = step.or_else(|| Some(self.otherwise.as_ref()?(request.form, &request.messages)));
        match &step {
            Some(Step::Answer(answer) | Step::Cut(answer)) => {
                wrong.extend(inspect::answer(answer, request.schema.as_ref()));
            }
            Some(Step::Say(_) | Step::Hang | Step::Refuse { .. }) => {}
            None => wrong.push("the script has nothing for it".to_owned()),
        }
        let form = request.form;
        state
            .violations
            .extend(wrong.into_iter().map(|it| format!("request {index} ({form}): {it}")));
        state.asked.push(Asked {
            wire: request.wire,
            form,
            role: request.role(),
            messages: request.messages.clone(),
            at: Instant::now(),
            outcome: Outcome::Pending,
            ended: None,
            tokens: (0, 0),
        });
        drop(state);
        self.changed.send_replace(());
        (index, step)
    }

    pub(super) fn violation(&self, what: String) {
        self.state().violations.push(what);
    }

    fn end(&self, index: usize, outcome: Outcome, tokens: Tokens) {
        let mut state = self.state();
        let asked = &mut state.asked[index];
        asked.outcome = outcome;
        asked.ended = Some(Instant::now());
        asked.tokens = (tokens.read, tokens.written);
        drop(state);
        self.changed.send_replace(());
    }
}

/// A request under way. It was abandoned, if nothing else is said before this is dropped.
pub(super) struct UnderWay {
    pub(super) shared: Arc<Shared>,
    pub(super) index: usize,
    pub(super) ended: bool,
}

impl UnderWay {
    pub(super) fn end(&mut self, outcome: Outcome, tokens: Tokens) {
        self.ended = true;
        self.shared.end(self.index, outcome, tokens);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if !self.ended {
            self.shared.end(self.index, Outcome::Abandoned, Tokens::default());
        }
    }
}
