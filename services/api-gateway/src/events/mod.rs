//! `/events`: what CI jobs tell, in one form for all of them.

mod create;
mod triggers;

pub(crate) use self::create::*;
