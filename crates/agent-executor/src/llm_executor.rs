//! An executor that asks a model: prompt, answer, and at most two repairs.
//!
//! Each repair shows the model its answer and what is wrong with it, and tightens the bounds of the form, so that a model
//! that runs out of tokens ends with an answer that is short but whole.

mod conversation;
mod failure;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use domain::{
    role::Role,
    task::{Failure, FailureCode},
    transcript::{Speaker, TurnKind},
};
use llm::{Error, Finish, Message, MessageRole, Model, Reply, Request, Schema};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    AgentExecutor, AnswerForm, Assignment, Description, ErrorKind, ExecutionError, Progress,
    Report,
    answer::{self, Fit},
    metrics,
    prompt::{self, Prompt},
    settings::{ErrorMode, ResponseFormat},
};
use conversation::Conversation;
use failure::Stop;

/// Answers after the first that are asked for when one is not valid.
const REPAIRS: u32 = 2;
/// How often the data of a prompt is halved when a server says that it does not fit.
const HALVINGS: u32 = 2;
/// Characters of an answer that a token stands for, about: what the bounds of a form are reckoned with.
const CHARS_PER_TOKEN: usize = 3;
/// Characters that a conversation's repairs add to it: a shortened answer, and what is wrong with it.
const REPAIR_CHARS: usize = 2_000;
/// The least that a prompt may have, whatever the context; a server with less says so itself.
const LEAST_PROMPT_CHARS: usize = 4_000;

/// How a model is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSettings {
    /// Its name on the server.
    pub name: String,
    pub temperature: f64,
    /// Tokens of one answer.
    pub max_tokens: u32,
    /// Tokens of a conversation, its answer included.
    pub context_tokens: u32,
    pub error_mode: ErrorMode,
    pub response_format: ResponseFormat,
}

impl ModelSettings {
    /// Characters of the longest prompt that leaves room for the answer and its repairs. Reckoned with 5 characters to 2
    /// tokens, since code is denser than prose.
    fn prompt_chars(&self) -> usize {
        let tokens = self.context_tokens.saturating_sub(self.max_tokens) as usize;
        (tokens * 5 / 2).saturating_sub(REPAIR_CHARS).max(LEAST_PROMPT_CHARS)
    }
}

/// Asks one model.
pub struct LlmExecutor {
    model: Arc<dyn Model>,
    settings: ModelSettings,
    schemas: Schemas,
}

/// The schemas that were sent, by the form and the number of repairs: each is the same in thousands of conversations at once.
#[derive(Default)]
struct Schemas(Mutex<Vec<Known>>);

type Known = ((AnswerForm, u32), Option<Arc<Schema>>);

impl Schemas {
    fn of(
        &self,
        key: (AnswerForm, u32),
        make: impl FnOnce() -> Option<Schema>,
    ) -> Option<Arc<Schema>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, schema)) = known.iter().find(|(known, _)| *known == key) {
            return schema.clone();
        }
        let schema = make().map(Arc::new);
        known.push((key, schema.clone()));
        schema
    }
}

impl LlmExecutor {
    pub fn new(model: Arc<dyn Model>, settings: ModelSettings) -> Self {
        Self { model, settings, schemas: Schemas::default() }
    }

    /// The conversation, with less data each time that the server says it does not fit the model's context.
    async fn converse_in_context(
        &self,
        assignment: &Assignment,
        talk: &mut Conversation<'_>,
    ) -> Result<(Value, Vec<String>), (ErrorKind, Failure)> {
        let outline = answer::outline(assignment.answer, self.settings.response_format);
        let max = self.settings.prompt_chars();
        let mut halvings = 0;
        loop {
            let prompt = prompt::prompt(assignment, outline.as_deref(), max, halvings);
            match self.converse(assignment, &prompt, talk).await {
                Ok((output, notes)) => {
                    return Ok((output, prompt.notes.into_iter().chain(notes).collect()));
                }
                Err(Stop::Model(Error::ContextExceeded { .. })) if halvings < HALVINGS => {
                    halvings += 1
                }
                Err(stop) => return Err(failure::of(stop, self.settings.error_mode)),
            }
        }
    }

    /// One conversation, to its valid answer.
    async fn converse(
        &self,
        assignment: &Assignment,
        prompt: &Prompt,
        talk: &mut Conversation<'_>,
    ) -> Result<(Value, Vec<String>), Stop> {
        talk.say(TurnKind::Prompt, Speaker::System, &prompt.system);
        talk.say(TurnKind::Prompt, Speaker::User, &prompt.user);
        let begin = [
            message(MessageRole::System, prompt.system.clone()),
            message(MessageRole::User, prompt.user.clone()),
        ];
        let mut messages = begin.to_vec();
        let mut complaints = Vec::new();
        for repairs in 0..=REPAIRS {
            let request = self.request(assignment.answer, messages, repairs);
            let reply = talk.ask(self.model.as_ref(), &request).await.map_err(Stop::Model)?;
            match self.read(assignment.answer, &reply) {
                Ok((output, mut notes)) => {
                    let result = if repairs == 0 { "valid" } else { "repaired" };
                    let schema = request.schema.iter();
                    notes.extend(schema.flat_map(|it| answer::perhaps_cut(it, &output)));
                    metrics::answer(assignment.role, result);
                    if repairs > 0 {
                        notes.push(format!("the answer is valid after {repairs} repairs"));
                    }
                    return Ok((self.signed(output, assignment, &reply), notes));
                }
                Err(what) => complaints = what,
            }
            metrics::answer(assignment.role, "invalid");
            let repair = repair(&reply, &complaints);
            if repairs < REPAIRS {
                talk.say(TurnKind::Repair, Speaker::User, &repair);
            }
            messages = begin.to_vec();
            messages.push(message(MessageRole::Assistant, prompt::bad_answer(&reply.text)));
            messages.push(message(MessageRole::User, repair));
        }
        Err(Stop::Invalid { complaints, repairs: REPAIRS })
    }

    fn request(&self, form: AnswerForm, messages: Vec<Message>, repairs: u32) -> Request {
        let chars = (self.settings.max_tokens as usize).saturating_mul(CHARS_PER_TOKEN) >> repairs;
        let fit = if repairs == 0 { Fit::Roomy } else { Fit::Tight };
        Request {
            model: self.settings.name.clone(),
            messages,
            temperature: self.settings.temperature,
            max_tokens: self.settings.max_tokens,
            schema: self.schemas.of((form, repairs), || {
                answer::schema(form, self.settings.response_format, chars, fit)
            }),
        }
    }

    /// The output and notes of an answer, or what is wrong with it.
    fn read(&self, form: AnswerForm, reply: &Reply) -> Result<(Value, Vec<String>), Vec<String>> {
        let format = self.settings.response_format;
        let cut = reply.finish == Finish::Length;
        if cut && !(form == AnswerForm::Free && format == ResponseFormat::Text) {
            return Err(vec![format!("it was cut off after {} tokens", self.settings.max_tokens)]);
        }
        let answer = answer::read(form, format, &reply.text)?;
        let (mut output, mut notes) = (answer.output, answer.notes);
        if cut {
            // Half a text is worth more than none, as long as it says so.
            output["truncated"] = json!(true);
            notes.push(format!("the answer was cut off after {} tokens", self.settings.max_tokens));
        }
        Ok((output, notes))
    }

    /// Adds who answered, where the form has a place for it.
    fn signed(&self, mut output: Value, assignment: &Assignment, reply: &Reply) -> Value {
        if let Some(metadata) = output.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("executor".to_owned(), json!("llm"));
            metadata.insert("model".to_owned(), json!(reply.model));
            metadata.insert("role".to_owned(), json!(assignment.role));
        }
        output
    }
}

#[async_trait]
impl AgentExecutor for LlmExecutor {
    async fn execute(
        &self,
        assignment: &Assignment,
        progress: &dyn Progress,
        cancel: &CancellationToken,
    ) -> Result<Report, ExecutionError> {
        let mut talk = Conversation::new(progress);
        let talked =
            cancel.run_until_cancelled(self.converse_in_context(assignment, &mut talk)).await;
        let (turns, usage) = talk.end();
        match talked {
            Some(Ok((output, notes))) => Ok(Report { output, notes, usage, turns }),
            Some(Err((kind, failure))) => Err(ExecutionError { kind, failure, usage, turns }),
            None => {
                let message = "the task was cancelled".to_owned();
                let failure = Failure { code: FailureCode::TimedOut, message };
                Err(ExecutionError { kind: ErrorKind::Cancelled, failure, usage, turns })
            }
        }
    }

    fn describe(&self, _role: Role) -> Description {
        Description { executor: "llm", model: Some(self.settings.name.clone()) }
    }
}

fn repair(reply: &Reply, complaints: &[String]) -> String {
    match reply.finish {
        Finish::Length => prompt::too_long(),
        Finish::Stop | Finish::Other => prompt::repair(complaints),
    }
}

fn message(role: MessageRole, content: impl Into<Arc<str>>) -> Message {
    Message { role, content: content.into() }
}

#[cfg(test)]
mod tests;
