//! What travels through the broker: ids, never payloads. Losing or doubling a message costs time, never work.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{RunId, TaskId},
    role::Role,
};

/// "This task is ready": a nudge to claim it in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    pub task_id: TaskId,
    pub run_id: RunId,
    pub role: Role,
    /// The attempt that would begin, as a hint for people who look at the queue.
    pub attempt: i32,
}

impl Message {
    /// Where the task is.
    pub const fn place(&self) -> (RunId, TaskId) {
        (self.run_id, self.task_id)
    }
}

/// A row of the outbox: a message that is not yet known to be with the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxMessage {
    pub id: i64,
    pub message: Message,
}
