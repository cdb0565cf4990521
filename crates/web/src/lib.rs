//! What our HTTP services share, so that they answer, refuse, log and stop alike.
//!
//! A service binds with [`serve::bind`], hands [`serve::Bound::serve`] a function that adds its routes, and takes its inputs
//! through the extractors of [`extract`]. Whatever goes wrong, the client reads a [`problem::Problem`] (RFC 9457).
//!
//! ```text
//!  connection ─▶ head_limit (cuts heads that do not come)
//!             ─▶ request_span (id, log, metric, panic) ─▶ unread (cuts clients that never stop) ─▶ routes
//!                                                         extract: Json, Query, Path, bearer ─────▶ handler
//! ```

pub mod serve;

mod head_limit;
pub mod problem;
pub mod request_span;
mod unread;

pub mod bearer;
pub mod body;
pub mod extract;
pub mod json_scan;
pub mod paging;

pub mod probes;

pub use crate::{
    body::{BodyDeadlines, BodyError, read_body},
    extract::{Json, JsonLimits, MaybeJson, Path, Query, RawJson},
    paging::Page,
    probes::{Probes, admin_routes},
    problem::{FieldError, Problem, ProblemBody},
    request_span::RequestId,
    serve::{ServeArgs, ServeError, bind, run},
};
