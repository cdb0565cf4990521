//! Group commit: requests that come while a transaction is under way share the next one.
//!
//! A batch is never waited for: the first request after an idle time goes alone and at once, so grouping costs no latency;
//! under load the batches grow by themselves.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::{Error, Result};

/// Bounds of a batcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchBounds {
    /// Requests in one batch, at most.
    pub items: usize,
    /// Batches under way at once, at most.
    pub in_flight: usize,
    /// Requests that may wait for a batch; more are refused as [`Error::Busy`].
    pub waiting: usize,
}

type Run<Q, A> = Arc<dyn Fn(Vec<Q>) -> BoxFuture<'static, Result<Vec<A>>> + Send + Sync>;

/// Gathers single requests into batches.
pub struct Batcher<Q, A> {
    requests: mpsc::Sender<Pending<Q, A>>,
}

impl<Q, A> Clone for Batcher<Q, A> {
    fn clone(&self) -> Self {
        Self { requests: self.requests.clone() }
    }
}

struct Pending<Q, A> {
    request: Q,
    answer: oneshot::Sender<Result<A>>,
}

impl<Q: Send + 'static, A: Send + 'static> Batcher<Q, A> {
    /// Starts gathering. `run` gets a batch and gives the answers in the same order; its error is every request's. It ends
    /// when the last clone is dropped and what was submitted has been run.
    pub fn start(
        bounds: BatchBounds,
        run: impl Fn(Vec<Q>) -> BoxFuture<'static, Result<Vec<A>>> + Send + Sync + 'static,
    ) -> Self {
        let (requests, receiver) = mpsc::channel(bounds.waiting.max(1));
        tokio::spawn(gather(receiver, bounds, Arc::new(run)));
        Self { requests }
    }

    /// Has `request` run in the next batch.
    ///
    /// # Errors
    /// The batch's own; [`Error::Busy`] where too many requests wait already.
    pub async fn submit(&self, request: Q) -> Result<A> {
        let (answer, receiver) = oneshot::channel();
        self.requests
            .try_send(Pending { request, answer })
            .map_err(|_full_or_closed| Error::Busy)?;
        receiver.await.map_err(|_closed| Error::Interrupted)?
    }
}

async fn gather<Q: Send + 'static, A: Send + 'static>(
    mut receiver: mpsc::Receiver<Pending<Q, A>>,
    bounds: BatchBounds,
    run: Run<Q, A>,
) {
    let slots = Arc::new(Semaphore::new(bounds.in_flight.max(1)));
    loop {
        // The slot first: what comes while all are taken belongs to the next batch.
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let mut batch = Vec::new();
        if receiver.recv_many(&mut batch, bounds.items.max(1)).await == 0 {
            return;
        }
        // Whoever was told that it took too long is not surprised by it later.
        batch.retain(|pending| !pending.answer.is_closed());
        if batch.is_empty() {
            continue;
        }
        let run = run.clone();
        tokio::spawn(async move {
            run_batch(batch, run).await;
            drop(slot);
        });
    }
}

async fn run_batch<Q, A>(batch: Vec<Pending<Q, A>>, run: Run<Q, A>) {
    let (requests, answers): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|pending| (pending.request, pending.answer)).unzip();
    match run(requests).await {
        Ok(results) => {
            // Somebody who has gone away in the meantime does not hear the answer; the work is done all the same.
            for (answer, result) in answers.into_iter().zip(results) {
                drop(answer.send(Ok(result)));
            }
        }
        Err(error) => {
            for answer in answers {
                drop(answer.send(Err(error.same())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const BOUNDS: BatchBounds = BatchBounds { items: 10, in_flight: 1, waiting: 100 };

    #[tokio::test]
    async fn requests_that_come_during_a_batch_share_the_next() {
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let gate = Arc::new(Semaphore::new(0));
        let batcher = Batcher::start(BOUNDS, {
            let (sizes, gate) = (sizes.clone(), gate.clone());
            move |batch: Vec<u32>| {
                sizes.lock().unwrap().push(batch.len());
                let gate = gate.clone();
                Box::pin(async move {
                    gate.acquire().await.unwrap().forget();
                    Ok(batch.into_iter().map(|it| it * 2).collect())
                })
            }
        });
        let first = tokio::spawn({
            let batcher = batcher.clone();
            async move { batcher.submit(1).await.unwrap() }
        });
        while sizes.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let rest: Vec<_> = (2..7)
            .map(|it| {
                let batcher = batcher.clone();
                tokio::spawn(async move { batcher.submit(it).await.unwrap() })
            })
            .collect();
        tokio::task::yield_now().await;
        gate.add_permits(2);
        assert_eq!(first.await.unwrap(), 2);
        let mut answers = Vec::new();
        for answer in rest {
            answers.push(answer.await.unwrap());
        }
        assert_eq!(answers, [4, 6, 8, 10, 12]);
        assert_eq!(*sizes.lock().unwrap(), [1, 5]);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_not_begun() {
        let gate = Arc::new(Semaphore::new(0));
        let ran = Arc::new(Mutex::new(Vec::new()));
        let batcher = Batcher::start(BOUNDS, {
            let (gate, ran) = (gate.clone(), ran.clone());
            move |batch: Vec<u32>| {
                ran.lock().unwrap().extend(batch.iter().copied());
                let gate = gate.clone();
                Box::pin(async move {
                    gate.acquire().await.unwrap().forget();
                    Ok(batch)
                })
            }
        });
        let mut first = Box::pin(batcher.submit(1));
        while ran.lock().unwrap().is_empty() {
            assert!(futures_util::poll!(&mut first).is_pending());
            tokio::task::yield_now().await;
        }
        let mut given_up = Box::pin(batcher.submit(2));
        assert!(futures_util::poll!(&mut given_up).is_pending());
        drop(given_up);
        gate.add_permits(2);
        assert_eq!((first.await.unwrap(), batcher.submit(3).await.unwrap()), (1, 3));
        assert_eq!(*ran.lock().unwrap(), [1, 3]);
    }

    #[tokio::test]
    async fn more_than_may_wait_is_refused() {
        let bounds = BatchBounds { items: 1, in_flight: 1, waiting: 1 };
        let batcher: Batcher<(), ()> =
            Batcher::start(bounds, |_batch| Box::pin(std::future::pending()));
        let mut refused = 0;
        let mut waiting = Vec::new();
        for _ in 0..8 {
            let mut submit = Box::pin({
                let batcher = batcher.clone();
                async move { batcher.submit(()).await }
            });
            let polled = futures_util::poll!(&mut submit);
            if matches!(polled, std::task::Poll::Ready(Err(Error::Busy))) {
                refused += 1;
            } else {
                waiting.push(submit);
            }
        }
        assert!(refused >= 5, "{refused} of 8 were refused");
    }
}
