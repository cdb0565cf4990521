//! One call of the store, and what came of it, in a form that model and store share.

use std::time::Duration;

use domain::{
    ids::{RunId, TaskId},
    role::Role,
    settlement::Settlement,
};
use store::{
    runs::Creation,
    tasks::{ClaimTerms, DeadLetterChoice, TaskPatch},
};

/// A call of the store.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Create(Box<Creation>),
    Claim(Vec<TaskId>, ClaimTerms),
    ClaimNext(Vec<Role>, u32, ClaimTerms),
    Renew(Vec<(TaskId, i64)>, ClaimTerms),
    /// With what is claimed at once, and how many free slots the worker has for what follows.
    Settle(Vec<Settlement>, Vec<(RunId, TaskId)>, ClaimTerms, usize),
    Promote(u32),
    Rescue(u32),
    TimeOut(Option<Duration>),
    CancelTask(TaskId),
    CancelRun(RunId),
    Pause(RunId),
    Resume(RunId),
    Update(TaskId, TaskPatch),
    /// Sets the field `n` of the metadata, or removes it.
    Metadata(TaskId, Option<u8>),
    Delete(TaskId),
    Dispatch(TaskId),
    DispatchNext(Option<Role>, u32),
    RetryTask(TaskId),
    RetryRun(RunId),
    Replay(DeadLetterChoice),
    Purge(DeadLetterChoice),
    AnnounceAgain,
    /// Publishes everything in the outbox.
    Publish,
    RemoveOld,
}

impl Request {
    pub(crate) fn creation(&self) -> Option<&Creation> {
        if let Self::Create(creation) = self { Some(creation) } else { None }
    }

    /// The tasks that it claims by their ids.
    pub(crate) fn to_claim(&self) -> Vec<TaskId> {
        if let Self::Claim(ids, _) = self { ids.clone() } else { Vec::new() }
    }

    pub(crate) fn to_settle(&self) -> &[Settlement] {
        if let Self::Settle(settlements, ..) = self { settlements } else { &[] }
    }
}

/// What came of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// In words.
    pub(crate) said: String,
    /// New rows of the outbox, sorted: the task, and the attempt that would begin.
    pub(crate) announced: Vec<(TaskId, i32)>,
}

impl Answer {
    pub(crate) fn new(said: impl Into<String>, mut announced: Vec<(TaskId, i32)>) -> Self {
        announced.sort_unstable();
        Self { said: said.into(), announced }
    }
}

/// A list of things about tasks in one order.
pub(crate) fn sorted<T: Ord + ToString>(things: impl IntoIterator<Item = T>) -> String {
    let mut things: Vec<T> = things.into_iter().collect();
    things.sort_unstable();
    things.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// How a claim is told.
pub(crate) fn claim_text(id: TaskId, attempt: i32, max_attempts: i32, fence: i64) -> String {
    format!("{id} attempt {attempt} of {max_attempts} fence {fence}")
}

/// The tasks that an answer names.
pub(crate) fn tasks_in(text: &str) -> Vec<TaskId> {
    text.split(|it: char| !(it.is_ascii_hexdigit() || it == '-'))
        .filter_map(|word| word.parse().ok())
        .collect()
}
