//! A model that plays a script and checks what it is sent.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use crate::{Error, Finish, Model, OnToken, Reply, Request, Usage};

/// One request that a script expects, and what is answered.
#[derive(Debug)]
pub struct Step {
    expects: Vec<String>,
    wants_schema: Option<bool>,
    answer: Answer,
}

#[derive(Debug)]
enum Answer {
    Reply {
        text: String,
        finish: Finish,
    },
    Error(Error),
    /// Never answers; the caller must give up or be cancelled.
    Silence,
}

impl Step {
    /// Answers with `text`, token by token.
    pub fn say(text: impl Into<String>) -> Self {
        Self::new(Answer::Reply { text: text.into(), finish: Finish::Stop })
    }

    /// Answers with `text`, which is cut off by the limit of tokens.
    pub fn cut(text: impl Into<String>) -> Self {
        Self::new(Answer::Reply { text: text.into(), finish: Finish::Length })
    }

    pub fn fail(error: Error) -> Self {
        Self::new(Answer::Error(error))
    }

    pub fn silence() -> Self {
        Self::new(Answer::Silence)
    }

    /// Some message of the request must hold `words`.
    #[must_use]
    pub fn expect(mut self, words: impl Into<String>) -> Self {
        self.expects.push(words.into());
        self
    }

    /// The request must, or must not, ask for a form.
    #[must_use]
    pub fn expect_schema(mut self, wanted: bool) -> Self {
        self.wants_schema = Some(wanted);
        self
    }

    fn new(answer: Answer) -> Self {
        Self { expects: Vec::new(), wants_schema: None, answer }
    }

    fn objection(&self, request: &Request) -> Option<String> {
        let missing = self
            .expects
            .iter()
            .find(|words| !request.messages.iter().any(|it| it.content.contains(*words)));
        if let Some(words) = missing {
            return Some(format!("the script expects a message with {words:?}"));
        }
        match self.wants_schema {
            Some(wanted) if wanted != request.schema.is_some() => {
                Some(format!("the script expects a schema: {wanted}"))
            }
            _ => None,
        }
    }
}

/// A model that plays a script. A request that the script does not expect is answered with [`Error::Rejected`], which says
/// what is wrong.
#[derive(Debug)]
pub struct ScriptedModel {
    script: Mutex<VecDeque<Step>>,
    requests: Mutex<Vec<Request>>,
}

impl ScriptedModel {
    pub fn new(script: impl IntoIterator<Item = Step>) -> Self {
        Self { script: Mutex::new(script.into_iter().collect()), requests: Mutex::default() }
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Steps that nobody has asked for yet.
    pub fn left(&self) -> usize {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn next(&self, request: &Request) -> Result<Step, Error> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        let step = self.script.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let refused = |message| Error::Rejected { status: 400, message };
        let step = step.ok_or_else(|| refused("the script is at its end".to_owned()))?;
        match step.objection(request) {
            Some(objection) => Err(refused(objection)),
            None => Ok(step),
        }
    }
}

#[async_trait]
impl Model for ScriptedModel {
    async fn complete(&self, request: &Request, on_token: OnToken<'_>) -> Result<Reply, Error> {
        match self.next(request)?.answer {
            Answer::Error(error) => Err(error),
            Answer::Silence => std::future::pending().await,
            Answer::Reply { text, finish } => {
                let mut tokens_out = 0;
                for token in text.split_inclusive(' ') {
                    on_token(token);
                    tokens_out += 1;
                }
                let words = request.messages.iter().flat_map(|it| it.content.split_whitespace());
                let usage = Usage { tokens_in: words.count() as u64, tokens_out };
                let latency = Duration::from_millis(1);
                Ok(Reply { text, usage, latency, finish, model: request.model.clone() })
            }
        }
    }
}
