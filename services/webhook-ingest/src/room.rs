//! A bound on the memory that bodies take together: whoever may send at all could otherwise send at many connections at once.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use actix_web::{dev::Payload, error::PayloadError};
use bytes::Bytes;
use futures_util::Stream;

/// Bytes that all bodies together may take. Clones share them.
#[derive(Clone)]
pub(crate) struct Room {
    used: Arc<AtomicUsize>,
    limit: usize,
}

/// What one body takes of the room; dropping it gives that back.
pub(crate) struct Share {
    room: Room,
    taken: Arc<AtomicUsize>,
    refused: Arc<AtomicBool>,
}

impl Room {
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self { used: Arc::default(), limit: limit_bytes }
    }

    /// The same body, counted as it comes. It breaks off where there is no more room, and [`Share::was_refused`] says so.
    pub(crate) fn measured(&self, payload: Payload) -> (Payload, Share) {
        let share = Share { room: self.clone(), taken: Arc::default(), refused: Arc::default() };
        let measured = Measured {
            payload,
            room: self.clone(),
            taken: share.taken.clone(),
            refused: share.refused.clone(),
        };
        (Payload::Stream { payload: Box::pin(measured) }, share)
    }

    fn take(&self, bytes: usize) -> bool {
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }
}

impl Share {
    pub(crate) fn was_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.used.fetch_sub(self.taken.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

struct Measured {
    payload: Payload,
    room: Room,
    taken: Arc<AtomicUsize>,
    refused: Arc<AtomicBool>,
}

impl Stream for Measured {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.payload).poll_next(context);
        if let Poll::Ready(Some(Ok(piece))) = &next {
            if !self.room.take(piece.len()) {
                self.refused.store(true, Ordering::Relaxed);
                return Poll::Ready(Some(Err(PayloadError::Io(io::ErrorKind::OutOfMemory.into()))));
            }
            self.taken.fetch_add(piece.len(), Ordering::Relaxed);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};

    use super::*;

    fn body(sizes: &[usize]) -> Payload {
        let pieces: Vec<_> = sizes.iter().map(|size| Ok(Bytes::from(vec![0; *size]))).collect();
        Payload::Stream { payload: Box::pin(stream::iter(pieces)) }
    }

    #[tokio::test]
    async fn a_body_breaks_off_where_the_room_ends_and_gives_its_share_back() {
        let room = Room::new(10);
        let (first, first_share) = room.measured(body(&[4, 4]));
        assert_eq!(first.filter(|it| std::future::ready(it.is_ok())).count().await, 2);

        let (mut second, second_share) = room.measured(body(&[2, 1]));
        assert!(second.next().await.unwrap().is_ok());
        assert!(second.next().await.unwrap().is_err());
        assert!(second_share.was_refused() && !first_share.was_refused());

        drop((first_share, second_share));
        assert_eq!(room.used.load(Ordering::Relaxed), 0);
    }
}
