//! Server-Sent Events, one by one.

use std::pin::Pin;

use eventsource_stream::Eventsource;
use futures_util::{Stream, StreamExt};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StreamEvent {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) data: String,
}

/// The events of one connection.
pub(super) struct Events(Pin<Box<dyn Stream<Item = StreamEvent> + Send>>);

impl Events {
    pub(super) fn of(response: reqwest::Response) -> Self {
        // Whatever breaks the stream off, another connection goes on after the last event.
        let events = response.bytes_stream().eventsource().scan((), |(), event| {
            let event =
                event.ok().map(|it| StreamEvent { id: it.id, name: it.event, data: it.data });
            std::future::ready(event)
        });
        Self(Box::pin(events))
    }

    /// The next event; none when the connection ends.
    pub(super) async fn next(&mut self) -> Option<StreamEvent> {
        self.0.next().await
    }
}
