//! What a worker cannot do without, as its readiness shows it.

use std::{sync::Arc, time::Duration};

use queue::QueueStatus;

use crate::Inner;

/// How long the queue may be away before the worker is not ready: until then the safety sweep carries the work.
const QUEUE_PATIENCE: Duration = Duration::from_secs(30);

/// Tells whether a worker can work. Cheap to clone.
#[derive(Clone)]
pub struct Health(pub(crate) Arc<Inner>);

impl Health {
    /// Whether the store answers.
    ///
    /// # Errors
    /// Why not, for people.
    pub async fn store(&self) -> Result<(), String> {
        self.0.store.ping().await.map_err(|error| error.to_string())
    }

    /// Whether the queue works, or has been away for no longer than a while.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn queue(&self) -> Result<(), String> {
        match self.0.queue.status() {
            QueueStatus::Degraded { reason, since } if since.elapsed() > QUEUE_PATIENCE => {
                Err(reason)
            }
            QueueStatus::Degraded { .. } | QueueStatus::Up => Ok(()),
        }
    }

    /// Attempts that run at this moment.
    pub fn running(&self) -> usize {
        self.0.running.len()
    }
}
