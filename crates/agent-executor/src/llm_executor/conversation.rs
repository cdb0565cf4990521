//! A conversation as it is recorded: every turn, and what it used.

use chrono::Utc;
use domain::{
    task::Usage,
    transcript::{Speaker, Turn, TurnKind},
};
use llm::{Error, Model, Reply, Request};
use tokio::time::Instant;

use crate::Progress;

/// Records turns and usage as they come, so that both are there however the conversation ends.
pub(super) struct Conversation<'a> {
    progress: &'a dyn Progress,
    turns: Vec<Turn>,
    usage: Usage,
    /// When the request that is under way began.
    asked_at: Option<Instant>,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(progress: &'a dyn Progress) -> Self {
        Self { progress, turns: Vec::new(), usage: Usage::default(), asked_at: None }
    }

    /// Records what was said.
    pub(super) fn say(&mut self, kind: TurnKind, role: Speaker, content: &str) {
        let turn = self.next(kind, role, content);
        self.record(turn);
    }

    /// Asks the model; records its answer or error.
    pub(super) async fn ask(
        &mut self,
        model: &dyn Model,
        request: &Request,
    ) -> Result<Reply, Error> {
        self.asked_at = Some(Instant::now());
        let progress = self.progress;
        let result = model.complete(request, &mut |token: &str| progress.token(token)).await;
        self.count();
        match &result {
            Ok(reply) => {
                self.usage.tokens_in += count(reply.usage.tokens_in);
                self.usage.tokens_out += count(reply.usage.tokens_out);
                let turn = self.next(TurnKind::Answer, Speaker::Assistant, &reply.text);
                self.record(Turn {
                    model: Some(reply.model.clone()),
                    tokens_in: Some(count(reply.usage.tokens_in)),
                    tokens_out: Some(count(reply.usage.tokens_out)),
                    latency_ms: Some(milliseconds(reply.latency)),
                    ..turn
                });
            }
            Err(error) => {
                let turn = self.next(TurnKind::Error, Speaker::System, &error.to_string());
                self.record(Turn { model: Some(request.model.clone()), ..turn });
            }
        }
        result
    }

    /// The transcript and the usage, a request that was given up in its middle included.
    pub(super) fn end(mut self) -> (Vec<Turn>, Usage) {
        self.count();
        (self.turns, self.usage)
    }

    /// Counts the request that is under way, if there is one.
    fn count(&mut self) {
        if let Some(asked_at) = self.asked_at.take() {
            self.usage.requests += 1;
            self.usage.model_ms += milliseconds(asked_at.elapsed());
        }
    }

    fn next(&self, kind: TurnKind, role: Speaker, content: &str) -> Turn {
        let seq = i32::try_from(self.turns.len()).unwrap_or(i32::MAX);
        Turn::new(seq, kind, role, content, Utc::now())
    }

    fn record(&mut self, turn: Turn) {
        self.progress.turn(&turn);
        self.turns.push(turn);
    }
}

fn count(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}

fn milliseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
