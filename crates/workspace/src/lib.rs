//! Git, trusted and outside every agent's reach.
//!
//! Dramatis personae:
//! - A [`RepositoryLocation`] says where a repository lives: `owner/name`, a URL, a local path.
//! - [`Workspaces`] keeps one bare **mirror** for each repository, fetched only when a wanted ref is new. Only a fetch is
//!   exclusive; attempts on the same repository otherwise never wait for each other.
//! - A [`Checkout`] is one attempt's isolated view of a branch: its own git directory, whose objects extend the mirror's.
//!   It reads, [applies](Checkout::apply) changes, [commits](Checkout::commit) and [pushes](Checkout::push).
//!
//! A checkout has no files on disk. Content is read from and written to git's object store, so nothing that a repository
//! brings with it (hooks, filters, attributes, symbolic links, submodules, its own configuration) is ever followed or run,
//! and no path can leave it. What git itself must not do is turned off for every call in `settings.rs`.
//!
//! ```text
//! <dir>/v1/                 mode 0700, owned by this user
//!   lock                    held while a process registers itself and collects leftovers
//!   gitconfig               what a local repository's own git processes must know
//!   mirrors/<name>/         bare repository
//!   mirrors/<name>.fetch    locked while somebody fetches
//!   mirrors/<name>.used     locked (shared) by every checkout that builds on the mirror
//!   processes/<id>/lock     locked while its process lives; a directory whose lock is free is a leftover
//!   processes/<id>/<n>/     one checkout, deleted when it is dropped
//! ```

mod args;
mod commit_id;
mod error;
mod location;

mod process;
mod remote;
mod settings;

mod layout;
mod lock;
mod mirror;
mod open;

mod change;
mod checkout;
mod commit;
mod message;
mod path;
mod push;
mod push_local;
mod tree;

pub use args::WorkspaceArgs;
pub use change::{Action, Applied, Change, Refusal};
pub use checkout::{Checkout, Content, Files, TrackedFile};
pub use commit::Author;
pub use commit_id::CommitId;
pub use error::Error;
pub use location::RepositoryLocation;
pub use open::{OpenRequest, Workspaces};
pub use path::Reason;
pub use push::Pushed;
