//! How long after its end a lease is still there: what nobody rescues is stuck.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;
use tokio_postgres::Client;

use crate::database::Database;

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(100);
/// What takes longer tells more of the database than of leases.
const LIMIT: Duration = Duration::from_secs(1);
const OLDEST: &str = "SELECT id::text, extract(epoch FROM clock_timestamp() - leased_until)::float8
    FROM tasks WHERE status = 'running' AND leased_until < clock_timestamp() ORDER BY leased_until LIMIT 1";
/// From here on it is looked who is in the way.
const ODD: Duration = Duration::from_secs(4);
const BUSY: &str = "SELECT concat_ws(' ', 'pid', pid, state, wait_event_type, wait_event, 'for',
        clock_timestamp() - state_change, 'blocked by', pg_blocking_pids(pid)::text, left(query, 90))
    FROM pg_stat_activity
    WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()";

/// Looks again and again, until it is dropped. Time in which the database or the scheduler was away does not count: nobody
/// could have rescued anything.
pub(crate) struct Lateness {
    state: Arc<Mutex<State>>,
    looking: JoinHandle<()>,
}

struct State {
    worst: Duration,
    /// What the database was busy with when something was first late.
    in_the_way: Option<String>,
    /// The longest that this machine gave us no turn.
    stall: Duration,
    /// Since when somebody could rescue.
    able_since: Instant,
    suspended: bool,
}

impl Lateness {
    pub(crate) fn watch(database: Database) -> Self {
        let state = State {
            worst: Duration::ZERO,
            in_the_way: None,
            stall: Duration::ZERO,
            able_since: Instant::now(),
            suspended: false,
        };
        let state = Arc::new(Mutex::new(state));
        let looking = tokio::spawn(look(database, state.clone()));
        Self { state, looking }
    }

    /// The longest so far.
    pub(crate) fn worst(&self) -> Duration {
        state(&self.state).worst
    }

    /// What the database was busy with when something was first late, if anything was.
    pub(crate) fn in_the_way(&self) -> Option<String> {
        state(&self.state).in_the_way.clone()
    }

    /// The longest that this machine gave us no turn: so much later than we, others may come, too.
    pub(crate) fn stall(&self) -> Duration {
        state(&self.state).stall
    }

    /// From now on nobody is able to rescue.
    pub(crate) fn suspend(&self) {
        state(&self.state).suspended = true;
    }

    /// From now on somebody is.
    pub(crate) fn go_on(&self) {
        let mut state = state(&self.state);
        state.suspended = false;
        state.able_since = Instant::now();
    }
}

impl Drop for Lateness {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

fn state(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn look(database: Database, shared: Arc<Mutex<State>>) {
    let mut client = None;
    loop {
        let asleep = Instant::now();
        tokio::time::sleep(PERIOD).await;
        let stall = asleep.elapsed().saturating_sub(PERIOD);
        let seen = tokio::time::timeout(LIMIT, oldest(&database, &mut client)).await;
        let odd = note(&mut state(&shared), stall, &seen);
        if odd.is_none() {
            client = None;
        }
        if let (Some(Some(task)), Some(client)) = (odd, &client) {
            let busy = client.query(BUSY, &[]).await.unwrap_or_default();
            let lines: Vec<String> = busy.iter().map(|row| row.get(0)).collect();
            let text = format!(
                "task {task} was late while the database did\n    {}",
                lines.join("\n    ")
            );
            state(&shared).in_the_way = Some(text);
        }
    }
}

/// Notes what was seen. None if the database was away; else the task that is oddly late, the first time that one is.
fn note(
    state: &mut State,
    stall: Duration,
    seen: &Result<Option<Seen>, tokio::time::error::Elapsed>,
) -> Option<Option<String>> {
    state.stall = state.stall.max(stall);
    let Ok(Some(seen)) = seen else {
        state.able_since = Instant::now();
        return None;
    };
    let Some((task, late)) = seen.as_ref().filter(|_| !state.suspended) else { return Some(None) };
    let counted = (*late).min(state.able_since.elapsed());
    state.worst = state.worst.max(counted);
    Some((counted > ODD && state.in_the_way.is_none()).then(|| task.clone()))
}

/// The task whose lease ended first, and how long ago; none if all leases last.
type Seen = Option<(String, Duration)>;

/// None if the database does not answer.
async fn oldest(database: &Database, client: &mut Option<Client>) -> Option<Seen> {
    if client.is_none() {
        *client = Some(database.connect().await.ok()?);
    }
    let row = client.as_ref()?.query_opt(OLDEST, &[]).await.ok()?;
    Some(row.map(|row| (row.get(0), Duration::from_secs_f64(row.get::<_, f64>(1).max(0.0)))))
}
