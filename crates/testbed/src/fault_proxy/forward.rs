//! One way of one connection.

use std::{collections::VecDeque, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
    sync::watch,
    time::Instant,
};

use super::Rule;

/// Bytes that wait for their time, at most: a slow line, not an endless one.
const WAITING: usize = 4 * 1024 * 1024;

/// Carries bytes until either side ends, or the rule ends it.
pub(super) async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut rule: watch::Receiver<Rule>,
) {
    let mut line = Line::default();
    let mut budget = budget_of(*rule.borrow_and_update());
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let now = *rule.borrow();
        let stalled = now == Rule::Stall;
        tokio::select! {
            biased;
            changed = rule.changed() => {
                if changed.is_err() {
                    return;
                }
                budget = budget_of(*rule.borrow_and_update());
            }
            () = line.due(), if !stalled => {
                let Some(mut bytes) = line.take() else { continue };
                let last = budget.is_some_and(|left| left <= bytes.len() as u64);
                if let (true, Some(left)) = (last, budget) {
                    bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                }
                budget = budget.map(|left| left - bytes.len() as u64);
                if to.write_all(&bytes).await.is_err() || last {
                    return;
                }
            }
            // Nothing is read while bytes are stuck: the sender's buffers fill, as they do when nobody acknowledges.
            count = from.read(&mut buffer), if !stalled && line.size < WAITING => {
                let Ok(count @ 1..) = count else {
                    line.flush(&mut to).await;
                    return;
                };
                let delay = match now {
                    Rule::Delay(delay) => delay,
                    Rule::Pass | Rule::Stall | Rule::CutAfter(_) => Duration::ZERO,
                };
                line.put(&buffer[..count], delay);
            }
        }
    }
}

fn budget_of(rule: Rule) -> Option<u64> {
    match rule {
        Rule::CutAfter(bytes) => Some(bytes),
        Rule::Pass | Rule::Stall | Rule::Delay(_) => None,
    }
}

/// What is under way.
#[derive(Default)]
struct Line {
    pieces: VecDeque<(Instant, Vec<u8>)>,
    size: usize,
}

impl Line {
    fn put(&mut self, bytes: &[u8], delay: Duration) {
        // Bytes stay in order when the delay shrinks.
        let earliest = self.pieces.back().map(|(due, _)| *due);
        let due = Instant::now() + delay;
        self.pieces.push_back((earliest.map_or(due, |it| it.max(due)), bytes.to_vec()));
        self.size += bytes.len();
    }

    /// Waits until the first piece is due; for ever, if there is none.
    async fn due(&self) {
        match self.pieces.front() {
            Some((due, _)) => tokio::time::sleep_until(*due).await,
            None => std::future::pending().await,
        }
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let (_, bytes) = self.pieces.pop_front()?;
        self.size -= bytes.len();
        Some(bytes)
    }

    /// Delivers what the sender sent before it closed.
    async fn flush(&mut self, to: &mut OwnedWriteHalf) {
        while !self.pieces.is_empty() {
            self.due().await;
            let Some(bytes) = self.take() else { return };
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    }
}
