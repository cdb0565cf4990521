//! Waiting for what a program of its own does.

use std::time::Duration;

/// From one look to the next.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks until `ask` has an answer, and gives it. Panics with `what` if it has none in time.
pub async fn until<T, F>(what: &str, within: Duration, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let waiting = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    match tokio::time::timeout(within, waiting).await {
        Ok(answer) => answer,
        Err(_elapsed) => panic!("waited {within:?} in vain: {what}"),
    }
}
