//! `/runs`: one piece of work each, from trigger to outcome.

mod cancel;
mod change;
mod create;
mod events;
mod list;
mod pause;
mod resume;
mod retry;
mod show;
mod stream;
mod tasks;
mod view;

pub(crate) use self::{
    cancel::*, create::*, events::*, list::*, pause::*, resume::*, retry::*, show::*, tasks::*,
    view::*,
};
