//! Strict extractors: what they let through is of its type, and what they refuse they name.

mod fault;
mod json;
mod nul;
mod path;
mod query;
mod shape;

pub use self::{
    json::{Json, JsonLimits, MaybeJson, RawJson, parse_json},
    path::Path,
    query::{Query, parse_query},
};
