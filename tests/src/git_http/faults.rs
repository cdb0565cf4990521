//! Ways to fail.

use std::collections::VecDeque;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};

/// What becomes of a request instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An answer with this status, 500 or 503 say, and nothing done.
    Status(u16),
    /// An answer that sends the client elsewhere.
    RedirectTo(String),
    /// No answer, until the client gives up.
    Hang,
    /// The connection breaks off early in the answer; nothing is done.
    Cut,
    /// The request is carried out, then the connection breaks off: the client cannot know.
    LoseAnswer,
}

impl Fault {
    pub(super) async fn answer(&self) -> HttpResponse {
        match self {
            Self::Status(status) => {
                let status =
                    StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                HttpResponse::build(status).body("injected\n")
            }
            Self::RedirectTo(address) => HttpResponse::MovedPermanently()
                .insert_header((header::LOCATION, address.as_str()))
                .finish(),
            Self::Hang => std::future::pending().await,
            Self::Cut | Self::LoseAnswer => {
                let begin = stream::once(async { Ok(Bytes::from_static(b"0")) });
                // A turn later, so that the beginning is sent: a client may silently repeat what had no answer at all.
                let broken = stream::once(async {
                    tokio::task::yield_now().await;
                    Err(std::io::Error::other("the connection is cut here"))
                });
                HttpResponse::Ok().no_chunking(1_000).streaming(begin.chain(broken).boxed_local())
            }
        }
    }
}

/// The faults still to come.
#[derive(Default)]
pub(super) struct Plan(VecDeque<Planned>);

struct Planned {
    path_end: String,
    times: usize,
    fault: Fault,
}

impl Plan {
    pub(super) fn add(&mut self, path_end: &str, times: usize, fault: Fault) {
        self.0.push_back(Planned { path_end: path_end.to_owned(), times, fault });
    }

    /// The fault for a request, if one is planned; it is then one fewer.
    pub(super) fn take(&mut self, path: &str) -> Option<Fault> {
        self.0.retain(|planned| planned.times > 0);
        let planned = self.0.iter_mut().find(|planned| path.ends_with(&planned.path_end))?;
        planned.times -= 1;
        Some(planned.fault.clone())
    }
}
