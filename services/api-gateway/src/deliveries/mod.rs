//! `/deliveries`: webhooks received, and what became of each.

mod list;
mod redeliver;
mod show;
mod view;

pub(crate) use self::{list::*, redeliver::*, show::*};
