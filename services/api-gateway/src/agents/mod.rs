//! `/agents`: who is in the team.

mod list;
mod settings;

pub(crate) use self::list::*;
pub use self::settings::{AgentArgs, AgentDescription};
