//! No call to the broker is waited for without end.

use std::time::Duration;

use crate::Error;

/// How long one call may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit(pub(super) Duration);

impl Limit {
    /// Waits for a call; `doing` is a verb, for the error.
    pub(super) async fn call<T>(
        self,
        doing: &'static str,
        call: impl Future<Output = lapin::Result<T>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(self.0, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Error::broker(doing, error)),
            Err(_elapsed) => Err(Error::TimedOut { doing, limit: self.0 }),
        }
    }
}
