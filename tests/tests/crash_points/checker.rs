//! What must hold once everything has settled, each rule a query for what breaks it.

use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Duration};

use e2e::wait::until;
use tokio_postgres::{Client, NoTls};

/// What a description begins with that must be there once, however often its request was repeated.
pub(crate) const ONCE: &str = "once";

/// Work that is not at its end.
const UNSETTLED: &str = "
    SELECT 'task ' || id || ' is ' || status || ': ' || description FROM tasks
     WHERE status NOT IN ('completed', 'failed', 'cancelled')
    UNION ALL SELECT 'run ' || id || ' is ' || status FROM runs
     WHERE status NOT IN ('completed', 'failed', 'cancelled')
    UNION ALL SELECT 'a message for ' || task_id || ' is in the outbox' FROM outbox
    UNION ALL SELECT 'delivery ' || id || ' waits to be taken again' FROM deliveries
     WHERE status = 'redelivering'";

/// A rule, and what breaks it.
const RULES: [(&str, &str); 10] = [
    (
        "what was asked for once is there once",
        "SELECT description || ' is there ' || count(*) || ' times' FROM tasks
          WHERE description LIKE 'once %' GROUP BY description HAVING count(*) > 1",
    ),
    (
        "a task completes once",
        "SELECT task_id || ' was completed ' || count(*) || ' times' FROM events
          WHERE kind = 'task.completed' GROUP BY task_id HAVING count(*) > 1",
    ),
    (
        "the history tells of every completion, and of no other",
        "SELECT t.id || ' is ' || t.status FROM tasks t
          WHERE (t.status = 'completed') <>
                EXISTS (SELECT FROM events e WHERE e.task_id = t.id AND e.kind = 'task.completed')",
    ),
    (
        "the history tells of every claim",
        "SELECT t.id || ' was claimed ' || t.fence || ' times' FROM tasks t
          WHERE t.fence <>
                (SELECT count(*) FROM events e WHERE e.task_id = t.id AND e.kind = 'task.started')",
    ),
    (
        "every attempt at a completed task has one end",
        "SELECT t.id || ' began ' || t.fence || ' times' FROM tasks t
          WHERE t.status = 'completed' AND t.fence <>
                (SELECT count(*) FROM events e WHERE e.task_id = t.id AND e.kind IN
                 ('task.completed', 'task.retrying', 'task.failed', 'task.lease_expired', 'task.handed_back'))",
    ),
    (
        "dead letters are failed tasks",
        "SELECT d.task_id || ' is ' || t.status FROM dead_letters d JOIN tasks t ON t.id = d.task_id
          WHERE t.status <> 'failed'",
    ),
    (
        "a delivery starts one run each time that it is taken",
        "SELECT d.id || ' has ' || count(r.id) || ' runs, redelivered ' || d.redeliveries
           FROM deliveries d LEFT JOIN runs r ON r.source->>'deliveryId' = d.id
          WHERE d.status = 'accepted' GROUP BY d.id HAVING count(r.id) <> 1 + d.redeliveries",
    ),
    (
        "a slot that fired has its run",
        "SELECT f.schedule_id || ' at ' || f.slot FROM firings f
          WHERE NOT EXISTS (SELECT FROM runs r WHERE r.id = f.run_id)",
    ),
    (
        "nothing begins before what it waits for",
        // By the order of the history: times of two transactions may be the other way round, for each reads the clock before
        // it waits for its locks.
        "SELECT d.task_id || ' began before ' || d.depends_on FROM dependencies d
           JOIN events s ON s.task_id = d.task_id AND s.kind = 'task.started'
          WHERE NOT EXISTS (SELECT FROM events c WHERE c.task_id = d.depends_on
                             AND c.kind = 'task.completed' AND c.id < s.id)",
    ),
    (
        "no key is kept without its answer",
        "SELECT principal || ': ' || key FROM idempotency WHERE response::text = '{}'",
    ),
];

/// The checks of the chaos runs, where they are there: what must hold whatever was done to the services.
const SHARED: &str = "chaos/checker.sql";
/// Those of them that this workload breaks on purpose: it dismisses dead letters, takes deliveries twice, and deletes
/// schedules. The rules above say what holds instead.
const NOT_HERE: [&str; 4] = ["dead_letters", "deliveries", "firings", "slots"];

/// See the module.
pub(crate) struct Checker {
    tables: Client,
}

impl Checker {
    pub(crate) async fn connect(url: &str) -> Self {
        let (tables, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        Self { tables }
    }

    /// Changes what is stored.
    pub(crate) async fn change(&self, sql: &str) {
        self.tables.batch_execute(sql).await.unwrap_or_else(|error| panic!("{error:?}: {sql}"));
    }

    /// What is not at its end, in words.
    pub(crate) async fn unsettled(&self) -> Vec<String> {
        self.texts(UNSETTLED).await
    }

    /// Waits until a query has an answer.
    pub(crate) async fn until_some(&self, what: &str, sql: &str) {
        until(what, Duration::from_secs(20), || async {
            (!self.texts(sql).await.is_empty()).then_some(())
        })
        .await;
    }

    /// Everything that breaks a rule.
    pub(crate) async fn violations(&self, bare: &Path) -> Vec<String> {
        let mut violations = Vec::new();
        for (rule, sql) in RULES {
            let found = self.texts(sql).await;
            violations.extend(found.into_iter().map(|it| format!("{rule}: {it}")));
        }
        for (rule, sql) in shared() {
            let found = self.texts(&format!("SELECT row_to_json(it)::text FROM ({sql}) it")).await;
            violations.extend(found.into_iter().map(|it| format!("{rule}: {it}")));
        }
        violations.extend(self.commits(bare).await);
        violations
    }

    /// Each completed implement task that changed something has one commit on its run's branch, and nothing else is there.
    async fn commits(&self, bare: &Path) -> Vec<String> {
        let sql = "SELECT r.branch || ' ' || t.id FROM tasks t JOIN runs r ON r.id = t.run_id
                    WHERE t.kind = 'implement' AND t.status = 'completed' AND r.branch IS NOT NULL
                    ORDER BY t.created_at";
        let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in self.texts(sql).await {
            let (branch, task) = line.split_once(' ').unwrap();
            expected.entry(branch.to_owned()).or_default().push(task.to_owned());
        }
        let mut violations = Vec::new();
        for (branch, tasks) in expected {
            let found = trailers(bare, &branch);
            if found != tasks {
                violations
                    .push(format!("{branch} has commits of {found:?} for the tasks {tasks:?}"));
            }
        }
        violations
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.tables.query(sql, &[]).await;
        let rows = rows.unwrap_or_else(|error| panic!("{error:?}: {sql}"));
        rows.iter().map(|row| row.get(0)).collect()
    }
}

/// Name and query of each shared check: a line `-- check: name: sentence`, then the query up to its semicolon.
fn shared() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(root.join(SHARED)).unwrap_or_default();
    let checks = text.split("-- check: ").skip(1).map(|check| {
        let (head, sql) = check.split_once('\n').unwrap();
        (head.to_owned(), sql.trim().trim_end_matches(';').to_owned())
    });
    let here = |name: &str| !NOT_HERE.iter().any(|it| name.starts_with(&format!("{it}:")));
    checks.filter(|(name, _)| here(name)).collect()
}

/// The tasks that the commits of a branch name, the oldest first.
fn trailers(bare: &Path, branch: &str) -> Vec<String> {
    let output = Command::new("git")
        .args(["-c", "safe.directory=*", "--git-dir"])
        .arg(bare)
        .args([
            "log",
            "--reverse",
            "--format=%(trailers:key=Orchestrator-Task,valueonly,separator=)",
        ])
        .arg(format!("main..{branch}"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}
