//! One task's conversation with an agent.
//!
//! Dramatis personae:
//! - An [`Assignment`] is a task with what its agent may know; its [`AnswerForm`] says what must come back.
//! - An [`AgentExecutor`] carries it out: a [`StubExecutor`] without a model, an [`LlmExecutor`] with one, or a
//!   [`RoutedAgentExecutor`] that gives each role its own.
//! - A [`Report`] is what came of it, an [`ExecutionError`] why nothing did; both hold the transcript and the usage.
//! - [`ExecutorSettings`] are all that an operator can set, read and checked once, at start.
//!
//! Nothing here opens pull requests, holds a GitHub token or runs a command. Text from repositories, issues and payloads is
//! data to the model, and is marked so.

mod assignment;
mod execution;

mod routed;
mod stub;

mod answer;
mod llm_executor;
mod prompt;

mod build;
pub mod metrics;
pub mod settings;

pub use assignment::{AnswerForm, Assignment, ContextPart, Origin};
pub use build::{build, client, model_server_answers};
pub use execution::{
    AgentExecutor, Description, ErrorKind, ExecutionError, Progress, Report, Silent,
};
pub use llm_executor::{LlmExecutor, ModelSettings};
pub use routed::RoutedAgentExecutor;
pub use settings::{ExecutorArgs, ExecutorSettings};
pub use stub::StubExecutor;
