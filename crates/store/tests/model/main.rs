//! Random sequences of operations on both stores, compared with a model of what each must do; and batches, compared with some
//! order of single requests.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod arena;
mod ask;
mod campaign;
mod model;
mod observe;
mod operations;
mod play;
mod request;

mod batches;
mod sequences;
