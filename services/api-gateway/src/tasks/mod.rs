//! `/tasks`: one agent invocation each.

mod batch;
mod cancel;
mod change;
mod create;
mod delete;
mod dispatch;
mod dispatch_next;
mod draft;
mod history;
mod list;
mod metadata;
mod retry;
mod show;
mod transcript;
mod update;
mod view;

pub(crate) use self::{
    batch::*, cancel::*, create::*, delete::*, dispatch::*, dispatch_next::*, draft::NewTaskBody,
    history::*, list::*, metadata::*, retry::*, show::*, transcript::*, update::*, view::*,
};
