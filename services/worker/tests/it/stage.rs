//! A store, a queue, and workers on them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use agent_executor::AgentExecutor;
use clap::Parser;
use domain::{
    history::EventKind,
    ids::{RunId, TaskId},
    message::OutboxMessage,
    role::Role,
    run::{Budget, NewRun, Run},
    task::{NewTask, Priority, Task, TaskKind, TaskStatus},
    trigger::Source,
    workflow::Workflow,
};
use queue::{Queue, QueueArgs};
use serde_json::json;
use store::runs::{Created, Creation, Guard};
use tempfile::TempDir;
use testkit::{TestStore, eventually};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use worker::{Health, Shutdown, Worker, WorkerConfig};
use workspace::{WorkspaceArgs, Workspaces};

/// The longest interval: as good as never.
pub(crate) const NEVER: Duration = Duration::from_secs(3_600);

/// Everything that a worker needs, and nothing that works by itself.
pub(crate) struct Stage {
    pub(crate) db: TestStore,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) workspaces: Arc<Workspaces>,
    dir: TempDir,
}

/// A worker at work.
pub(crate) struct Working {
    pub(crate) shutdown: Shutdown,
    pub(crate) health: Health,
    end: JoinHandle<anyhow::Result<()>>,
}

impl Working {
    /// Tells it to stop and waits for its end.
    pub(crate) async fn stop(self) {
        self.shutdown.stop.cancel();
        self.ended().await;
    }

    pub(crate) async fn ended(self) {
        let ended = tokio::time::timeout(Duration::from_secs(20), self.end).await;
        ended.expect("the worker ends").expect("it does not panic").expect("it ends well");
    }
}

impl Stage {
    pub(crate) async fn on(db: TestStore) -> Self {
        #[derive(Parser)]
        struct Program {
            #[command(flatten)]
            queue: QueueArgs,
        }
        let mut args = Program::parse_from(["test"]).queue;
        args.task_queue = queue::QueueKind::InProcess;
        let queue = queue::connect(&args, "test").await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let workspaces = Workspaces::new(&WorkspaceArgs {
            workspace_dir: Some(dir.path().join("workspaces")),
            git_allow_local: true,
            ..WorkspaceArgs::default()
        });
        Self { db, queue, workspaces: Arc::new(workspaces.unwrap()), dir }
    }

    /// A folder for whatever a test needs.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn start(&self, config: WorkerConfig, executor: Arc<dyn AgentExecutor>) -> Working {
        let (store, queue) = (self.db.store.clone(), self.queue.clone());
        let worker = Worker::new(config, store, queue, executor, self.workspaces.clone());
        let shutdown = Shutdown::from(CancellationToken::new());
        let health = worker.health();
        let end = tokio::spawn(worker.run(shutdown.clone()));
        Working { shutdown, health, end }
    }

    /// Makes a run and announces what is ready.
    pub(crate) async fn create(&self, run: NewRun) {
        let creation = Creation { guard: Guard::None, runs: vec![run], tasks: Vec::new() };
        let created = self.db.store.create(vec![creation]).await.unwrap().remove(0);
        let Created::New { announce, .. } = created else { panic!("{created:?}") };
        self.publish(&announce).await;
    }

    /// Makes a run of one task, and announces it.
    pub(crate) async fn create_task(&self, task: NewTask) -> TaskId {
        let id = task.id;
        self.create(run_of(vec![task])).await;
        id
    }

    pub(crate) async fn publish(&self, rows: &[OutboxMessage]) {
        let messages: Vec<_> = rows.iter().map(|row| row.message).collect();
        for result in self.queue.publish(&messages).await {
            result.unwrap();
        }
    }

    pub(crate) async fn task(&self, id: TaskId) -> Task {
        self.db.store.find_task(id).await.unwrap().expect("the task is there")
    }

    pub(crate) async fn run(&self, id: RunId) -> Run {
        self.db.store.find_run(id).await.unwrap().expect("the run is there")
    }

    /// Waits until a task has come to a status. Meanwhile due retries are queued, as a scheduler would.
    pub(crate) async fn until(&self, id: TaskId, status: TaskStatus) -> Task {
        eventually(&format!("a task that is {status}"), || async {
            let announce = self.db.store.promote_due(1_000).await.unwrap();
            self.publish(&announce).await;
            Some(self.task(id).await).filter(|task| task.status == status)
        })
        .await
    }

    pub(crate) async fn until_run_ends(&self, id: RunId) -> Run {
        eventually("the end of the run", || async {
            let announce = self.db.store.promote_due(1_000).await.unwrap();
            self.publish(&announce).await;
            Some(self.run(id).await).filter(|run| run.status.is_final())
        })
        .await
    }

    /// What has happened to a task, in order.
    pub(crate) async fn history(&self, id: TaskId) -> Vec<EventKind> {
        self.db.store.task_history(id).await.unwrap().into_iter().map(|event| event.kind).collect()
    }
}

/// Short waits, and no look at the store but where a message leads to.
pub(crate) fn config() -> WorkerConfig {
    let mut config = WorkerConfig {
        poll_interval: NEVER,
        grace: Duration::from_secs(10),
        ..WorkerConfig::default()
    };
    config.retry.base = Duration::from_millis(1);
    config
}

pub(crate) fn single(role: Role) -> NewTask {
    NewTask::new(role, TaskKind::Single, "Say something.")
}

/// A run without a repository.
pub(crate) fn run_of(tasks: Vec<NewTask>) -> NewRun {
    NewRun {
        id: RunId::new(),
        workflow: Workflow::Single,
        goal: "Say something.".to_owned(),
        repository: None,
        base_ref: None,
        source: Source::Api,
        budget: Budget::default(),
        priority: Priority::default(),
        metadata: json!({}),
        tasks,
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    eventually(what, || async { is_so().then_some(()) }).await;
}
