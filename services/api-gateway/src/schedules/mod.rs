//! `/schedules`: rules that start runs over time.

mod body;
mod create;
mod delete;
mod list;
mod replace;
mod show;
mod trigger;
mod update;
mod view;
mod written;

pub(crate) use self::{
    body::ScheduleBody, create::*, delete::*, list::*, replace::*, show::*, trigger::*, update::*,
};
