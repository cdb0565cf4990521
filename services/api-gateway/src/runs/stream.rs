//! An event stream: looks into the store until the run's end, and says what is new.
//!
//! It is pumped by a task of its own, so that a client who reads nothing gives up its place after a while instead of keeping
//! it for ever.

use std::time::Duration;

use actix_web::web::Data;
use bytes::Bytes;
use domain::{
    history::{Event, EventKind},
    run::Run,
};
use futures_util::{Stream, stream};
use serde_json::json;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::{Instant, sleep},
};

use crate::{app::App, tasks::EventView};

/// Events of one look, at most.
const EVENTS: u32 = 500;
/// Pieces that wait for the client.
const WAITING: usize = 4;
/// What a client waits before it comes back, in milliseconds.
const RETRY_MS: u32 = 1_000;

/// The stream of a run's events after the event `after`. `place` is given back with its end.
pub(super) fn open(
    app: Data<App>,
    run: Run,
    after: Option<i64>,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
    let (pieces, receiver) = mpsc::channel(WAITING);
    let pump = Pump {
        app,
        run,
        after: after.unwrap_or(0),
        resumes: after.is_some(),
        ended: false,
        pieces,
    };
    actix_web::rt::spawn(async move {
        // A client who has gone away, or reads nothing, ends the stream as well as the run's end does.
        let _gone = pump.run().await;
        drop(place);
    });
    stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (Ok(piece), receiver))
    })
}

/// The client does not listen any more.
struct Gone;

struct Pump {
    app: Data<App>,
    run: Run,
    /// The last event that the client has.
    after: i64,
    /// Whether the client has seen events before.
    resumes: bool,
    /// Whether the last event that the client has is the end of the run, unless the run was reopened after it.
    ended: bool,
    pieces: mpsc::Sender<Bytes>,
}

impl Pump {
    async fn run(mut self) -> Result<(), Gone> {
        self.send(format!("retry: {RETRY_MS}\n\n")).await?;
        let heartbeat = Duration::from_millis(self.app.settings.args.stream_heartbeat_ms);
        let pause = Duration::from_millis(self.app.settings.args.stream_poll_interval_ms);
        let mut quiet_since = Instant::now();
        let mut failing = false;
        self.find_place().await;
        loop {
            let found = self.app.store.run_events(self.run.id, self.after, EVENTS).await;
            match found {
                Ok(events) if !events.is_empty() => {
                    let more = events.len() == EVENTS as usize;
                    self.tell(events).await?;
                    quiet_since = Instant::now();
                    if more {
                        continue;
                    }
                }
                Ok(_) => failing = false,
                Err(error) => {
                    if !failing {
                        tracing::warn!(run.id = %self.run.id, error = %crate::error::in_one_line(&error), "an event stream cannot read events");
                    }
                    failing = true;
                }
            }
            if self.ended && !failing {
                return self.end().await;
            }
            if quiet_since.elapsed() >= heartbeat {
                self.send(": nothing new\n\n".to_owned()).await?;
                quiet_since = Instant::now();
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = self.pieces.closed() => return Err(Gone),
                () = self.app.shutdown.cancelled() => return Ok(()),
            }
        }
    }

    /// For a client that comes back: whether what it saw last was the run's end.
    async fn find_place(&mut self) {
        if !self.resumes {
            return;
        }
        match self.app.store.run_events(self.run.id, self.after.saturating_sub(1), 1).await {
            Ok(events) => match events.first() {
                Some(event) if event.id == self.after => self.ended = is_end(event.kind),
                Some(_) => {}
                // An id that is none of this run's; nothing comes after it either.
                None => self.ended = self.run.status.is_final(),
            },
            Err(_unavailable) => {}
        }
    }

    async fn tell(&mut self, events: Vec<Event>) -> Result<(), Gone> {
        let mut text = String::new();
        for event in events {
            let (id, kind) = (event.id, event.kind);
            self.after = id;
            self.ended = is_end(kind) || (self.ended && kind != EventKind::RunReopened);
            let data = serde_json::to_string(&EventView::from(event))
                .expect("an event has only string keys");
            text.push_str(&format!("id: {id}\nevent: {kind}\ndata: {data}\n\n"));
        }
        self.send(text).await
    }

    async fn end(&self) -> Result<(), Gone> {
        let run = self.app.store.find_run(self.run.id).await.ok().flatten();
        let status = run.map_or(self.run.status, |run| run.status);
        let data = json!({ "runId": self.run.id, "status": status });
        self.send(format!("event: end\ndata: {data}\n\n")).await
    }

    async fn send(&self, text: String) -> Result<(), Gone> {
        let patience = Duration::from_millis(self.app.settings.args.stream_patience_ms);
        self.pieces.send_timeout(Bytes::from(text), patience).await.map_err(|_closed_or_full| Gone)
    }
}

const fn is_end(kind: EventKind) -> bool {
    matches!(kind, EventKind::RunCompleted | EventKind::RunFailed | EventKind::RunCancelled)
}
