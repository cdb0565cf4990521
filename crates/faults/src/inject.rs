//! What happens at a point, by the environment of the process:
//!
//! - `ORCH_FAULT_SEEN`: a file to which the name of each point is appended when this process reaches it first.
//! - `ORCH_FAULT_POINT`: `name`, or `name@3` for the third time that it is reached: there the process acts.
//! - `ORCH_FAULT_ONCE`: a file that whoever acts makes first; where it is there already, nobody acts. So a process that was
//!   started again with the same environment goes on.
//! - `ORCH_FAULT_ORDERS`: a file that may come and go, with the name of a point in each line: where one of them is reached
//!   the process acts, after it has taken the line out. So a test can name one point after the other without starting
//!   anything anew. A file is for one process.
//! - `ORCH_FAULT_ACTION`: `abort` (the default: the process ends as if killed, nothing is flushed or dropped) or `delay:5000`
//!   (the thread stands still for so many milliseconds).
//! - `ORCH_FAULT_WITHOUT`: names of [guards](crate::Guard) that are out, separated by commas.
//!
//! A value that cannot be understood ends the process: a test must not go on that does something else than it says.

use std::{
    collections::HashSet,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex, PoisonError},
    time::Duration,
};

use crate::Guard;

/// What no worker survives in a task's description.
const POISON: &str = "poison-the-worker";

static PLAN: LazyLock<Plan> = LazyLock::new(Plan::of_environment);

struct Plan {
    seen: Option<PathBuf>,
    point: Option<String>,
    once: Option<PathBuf>,
    orders: Option<PathBuf>,
    action: Action,
    without: Vec<Guard>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    told: HashSet<&'static str>,
    /// How often the point of `ORCH_FAULT_POINT` was reached.
    reached: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Abort,
    Delay(Duration),
}

/// Notes that a point is reached, and acts if the plan says so.
pub fn reached(name: &'static str) {
    PLAN.reached(name);
}

pub(crate) fn without(guard: Guard) -> bool {
    PLAN.without.contains(&guard)
}

pub(crate) fn poisoned_by(text: &str) {
    if text.contains(POISON) {
        eprintln!("poisoned: this process ends");
        std::process::abort();
    }
}

impl Plan {
    fn of_environment() -> Self {
        let text = |name: &str| variable(name).filter(|it| !it.is_empty());
        let path = |name: &str| text(name).map(PathBuf::from);
        let action = text("ORCH_FAULT_ACTION").unwrap_or_else(|| "abort".to_owned());
        let without = text("ORCH_FAULT_WITHOUT").unwrap_or_default();
        Self {
            seen: path("ORCH_FAULT_SEEN"),
            point: text("ORCH_FAULT_POINT"),
            once: path("ORCH_FAULT_ONCE"),
            orders: path("ORCH_FAULT_ORDERS"),
            action: Action::parse(&action).unwrap_or_else(|| refuse("ORCH_FAULT_ACTION", &action)),
            without: guards(&without).unwrap_or_else(|| refuse("ORCH_FAULT_WITHOUT", &without)),
            state: Mutex::default(),
        }
    }

    fn reached(&self, name: &'static str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.told.insert(name) {
            self.tell(name);
        }
        let due =
            self.point.as_deref().is_some_and(|order| is_due(order, name, &mut state.reached));
        if due && self.is_first() {
            drop(state);
            return self.act(name);
        }
        if self.orders.as_deref().is_some_and(|path| take_order(path, name)) {
            drop(state);
            self.act(name);
        }
    }

    fn tell(&self, name: &str) {
        let Some(path) = &self.seen else { return };
        let file = OpenOptions::new().create(true).append(true).open(path);
        // One write for the whole line, for many processes may append to the file.
        if let Err(error) = file.and_then(|mut it| it.write_all(format!("{name}\n").as_bytes())) {
            eprintln!("that {name} was reached cannot be told: {error}");
        }
    }

    /// Whether nobody has acted yet: making the file decides between processes.
    fn is_first(&self) -> bool {
        let made = |path| OpenOptions::new().write(true).create_new(true).open(path).is_ok();
        self.once.as_ref().is_none_or(made)
    }

    fn act(&self, name: &str) {
        eprintln!("fault point {name}: {:?}", self.action);
        match self.action {
            Action::Abort => std::process::abort(),
            Action::Delay(time) => std::thread::sleep(time),
        }
    }
}

/// Whether this time is the one that the order means: `name`, or `name@3`.
fn is_due(order: &str, name: &str, reached: &mut u64) -> bool {
    let (wanted, time) = match order.split_once('@') {
        None => (order, 1),
        Some((wanted, time)) => {
            (wanted, time.parse().unwrap_or_else(|_bad| refuse("ORCH_FAULT_POINT", order)))
        }
    };
    if wanted != name {
        return false;
    }
    *reached += 1;
    *reached == time
}

/// Whether an order names the point; the order is gone then. The caller holds the lock on the plan's state.
fn take_order(path: &Path, name: &str) -> bool {
    let Ok(orders) = fs::read_to_string(path) else { return false };
    if !orders.lines().any(|line| line == name) {
        return false;
    }
    let left: String =
        orders.lines().filter(|it| *it != name).map(|it| format!("{it}\n")).collect();
    // Under another name first: a reader sees the old orders or the new ones, never a part.
    let new = path.with_extension("new");
    fs::write(&new, left).and_then(|()| fs::rename(&new, path)).is_ok()
}

impl Action {
    fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "abort" => Some(Self::Abort),
            Some(("delay", ms)) => Some(Self::Delay(Duration::from_millis(ms.parse().ok()?))),
            None | Some(_) => None,
        }
    }
}

fn guards(text: &str) -> Option<Vec<Guard>> {
    let names = text.split(',').map(str::trim).filter(|it| !it.is_empty());
    names.map(|name| Guard::ALL.into_iter().find(|it| it.name() == name)).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "builds for tests take their orders beside the settings"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn refuse(what: &str, value: &str) -> ! {
    eprintln!("{what} is `{value}`, which cannot be understood");
    std::process::exit(2);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_due_once_at_its_time() {
        let mut reached = 0;
        let due = ["a", "b", "a", "a"].map(|name| is_due("a@2", name, &mut reached));
        assert_eq!(due, [false, false, true, false]);
    }

    #[test]
    fn an_order_is_taken_once() {
        let path = std::env::temp_dir().join(format!("orders-{}", std::process::id()));
        fs::write(&path, "a\nb\n").unwrap();
        let taken = ["c", "b", "b", "a", "a"].map(|name| take_order(&path, name));
        assert_eq!(taken, [false, true, false, true, false]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn actions_and_guards_are_read_whole_or_not_at_all() {
        assert_eq!(Action::parse("abort"), Some(Action::Abort));
        assert_eq!(Action::parse("delay:50"), Some(Action::Delay(Duration::from_millis(50))));
        assert_eq!(Action::parse("delay"), None);
        assert_eq!(guards(""), Some(vec![]));
        assert_eq!(guards("fence, outbox_sweep"), Some(vec![Guard::Fence, Guard::OutboxSweep]));
        assert_eq!(guards("fence,sweep"), None);
    }
}
