//! A limit on the time that a request's head takes, for every request of a connection.
//!
//! actix times the head of a connection's first request only. Of a later one it clears the keep-alive timer with the first
//! byte and then waits without end. So the stream itself watches: a head that has begun between two requests, and is not
//! whole in time, reads as the end of the connection, which actix closes.

use std::{
    cell::Cell,
    future::Future as _,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::rt::net::TcpStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// What requests tell the stream that they came by.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    /// Heads that were whole.
    whole: Cell<u64>,
    /// Requests that are handled.
    handled: Cell<u32>,
}

/// A request that is handled; what is read meanwhile is its body.
#[derive(Debug)]
pub(crate) struct Handled(Rc<Heads>);

impl Heads {
    /// The head of a request is whole.
    pub(crate) fn begin(self: &Rc<Self>) -> Handled {
        self.whole.set(self.whole.get() + 1);
        self.handled.set(self.handled.get() + 1);
        Handled(Rc::clone(self))
    }

    /// Whether a byte that comes now begins a head that nobody else times.
    fn is_between_requests(&self) -> bool {
        self.whole.get() > 0 && self.handled.get() == 0
    }
}

impl Drop for Handled {
    fn drop(&mut self) {
        self.0.handled.set(self.0.handled.get() - 1);
    }
}

/// A head that has begun.
#[derive(Clone, Copy, Debug)]
struct Begun {
    deadline: Instant,
    /// How many were whole before it.
    after: u64,
}

/// A client's connection. Its end is read where a head takes longer than the limit.
#[derive(Debug)]
pub(crate) struct Watched {
    stream: TcpStream,
    heads: Rc<Heads>,
    limit: Duration,
    begun: Option<Begun>,
    /// Wakes us at some deadline, perhaps of a head that is whole by then: setting it anew for each request costs more.
    timer: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

impl Watched {
    pub(crate) fn new(stream: TcpStream, limit: Duration) -> Self {
        let heads = Rc::new(Heads::default());
        Self { stream, heads, limit, begun: None, timer: None, ended: false }
    }

    pub(crate) fn heads(&self) -> Rc<Heads> {
        Rc::clone(&self.heads)
    }

    /// Bytes were read.
    fn note(&mut self) {
        if self.open().is_none() && self.heads.is_between_requests() {
            let deadline = Instant::now() + self.limit;
            self.begun = Some(Begun { deadline, after: self.heads.whole.get() });
        }
    }

    /// The head that has begun and is not whole.
    fn open(&self) -> Option<Begun> {
        self.begun.filter(|begun| begun.after == self.heads.whole.get())
    }

    /// Nothing is there to be read: whether the time of a head is over.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        loop {
            let due = self.open().map(|begun| begun.deadline);
            if due.is_some_and(|due| due <= Instant::now()) {
                return true;
            }
            let Some(timer) = self.timer.as_mut() else {
                let Some(due) = due else { return false };
                self.timer = Some(Box::pin(sleep_until(due)));
                continue;
            };
            if timer.is_elapsed() {
                let Some(due) = due else { return false };
                timer.as_mut().reset(due);
            }
            if timer.as_mut().poll(context).is_pending() {
                return false;
            }
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, buffer) {
            if buffer.filled().len() > before {
                self.note();
            }
            return Poll::Ready(read);
        }
        if self.is_late(context) {
            tracing::debug!("a connection is closed: the head of a request did not come in time");
            self.ended = true;
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
