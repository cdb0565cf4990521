//! The campaign over the four services, on Postgres and RabbitMQ.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    path::PathBuf,
    time::{Duration, Instant},
};

use e2e::{
    api::text,
    git_http::{GitServer, Rights},
    model_server::{ModelServer, Wire},
    stack::{Program, Settings, Stack, faulty_programs},
};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::{
    agents::{self, HANG_ALWAYS, MODEL},
    caller::Caller,
    checker::Checker,
    keeper::{Keeper, Orders},
    late,
    plan::{self, Round},
    workload::{WEBHOOK_SECRET, Work},
};

const GIT_TOKEN: &str = "a token of the campaign";
const REPOSITORY: &str = "acme/greeter";
/// From one look at the processes to the next.
const LOOK: Duration = Duration::from_millis(20);
/// How long a round may take: its crashes, leases and backoffs, and what a busy machine adds.
const ROUND: Duration = Duration::from_secs(60);
/// From one wish that a service ends to the next.
const RESTART: Duration = Duration::from_secs(3);
/// A part of a point's name, to try those points alone.
const ONLY: &str = "ORCH_CRASH_ONLY";

/// Points that a service reaches when it is told to stop, or when it starts.
const AT_ITS_END_OR_START: [&str; 9] = [
    "worker.hand_back.before",
    "worker.hand_back.after",
    "queue.consumer.rebuilt",
    "store.touch_api_keys.before_commit",
    "store.touch_api_keys.after_commit",
    "scheduler.default_schedule.before",
    "scheduler.default_schedule.after",
    "store.ensure_schedule.before_commit",
    "store.ensure_schedule.after_commit",
];

/// Points that need a delivery to be taken again.
const OF_REDELIVERY: [&str; 4] = [
    "store.request_redelivery.before_commit",
    "store.request_redelivery.after_commit",
    "webhook.redelivery.before",
    "webhook.redelivery.after",
];

struct Scene {
    stack: Stack,
    git: GitServer,
    clone_url: String,
    checker: Checker,
    caller: Caller,
    orders: Orders,
    keeper: Keeper,
    model: ModelServer,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_stranded_by_a_crash_at_any_point() {
    #[expect(clippy::disallowed_methods, reason = "tests have no settings struct")]
    let only = std::env::var(ONLY).ok();
    let rounds = plan::rounds(only.as_deref());
    let mut scene = Scene::set().await;
    let began = Instant::now();
    for (number, round) in rounds.iter().enumerate() {
        let began = Instant::now();
        scene.play(number, round).await;
        eprintln!("round {number}: {:?} in {:?}", round.orders, began.elapsed());
    }
    eprintln!("{} rounds in {:?}", rounds.len(), began.elapsed());
    scene.assert_all_reached(&rounds);
}

fn settings(git: &GitServer, model: &ModelServer, ports: &[(Program, u16)]) -> Settings {
    let settings = Settings::default()
        .programs_in(&faulty_programs())
        .git(git, GIT_TOKEN)
        .model(model, Wire::OpenAi, MODEL)
        .all("ORCH_WORKER_MAX_RETRIES", "30")
        .own(Program::WebhookIngest, "GITHUB_WEBHOOK_SECRET", WEBHOOK_SECRET)
        .own(Program::WebhookIngest, "ORCH_WEBHOOK_REDELIVERY_MS", "100")
        .own(Program::Worker, "ORCH_WORKER_LEASE_MS", "1500")
        .own(Program::Worker, "ORCH_WORKER_POLL_INTERVAL_MS", "300")
        .own(Program::Worker, "ORCH_SHUTDOWN_GRACE_MS", "800")
        // What hangs is tried again in time, should nobody come to cancel it.
        .own(Program::Worker, "LOCAL_LLM_TIMEOUT_MS", "2000")
        .own(Program::Scheduler, "ORCH_SCHEDULE_INTERVAL_MS", "86400000")
        .own(Program::Scheduler, "ORCH_SCHEDULE_ROLES", "tester");
    let often = ["SWEEP", "REMIND", "PROMOTE", "RESCUE", "TIMEOUTS", "PERIODIC", "CLEAN", "GAUGES"];
    let settings = often.iter().fold(settings, |settings, name| {
        settings.own(Program::Scheduler, &format!("ORCH_SCHEDULER_{name}_MS"), "100")
    });
    let settings = settings.own(Program::Scheduler, "ORCH_SCHEDULER_LEFT_BEHIND_MS", "500").own(
        Program::Scheduler,
        "ORCH_SCHEDULER_UNCLAIMED_MS",
        "1000",
    );
    ports.iter().fold(settings, |settings, (program, port)| {
        settings.own(*program, "ORCH_PORT", &port.to_string())
    })
}

/// Ports that are free now, and that a process which is started again finds free once more.
fn ports() -> Vec<(Program, u16)> {
    let listeners = Program::ALL.map(|it| (it, TcpListener::bind(("127.0.0.1", 0)).unwrap()));
    listeners.iter().map(|(it, socket)| (*it, socket.local_addr().unwrap().port())).collect()
}

impl Scene {
    async fn set() -> Self {
        let git = GitServer::start().unwrap();
        git.grant(GIT_TOKEN, Rights::ReadWrite);
        let files = [("README.md", "# Greeter\n"), ("src/greet.txt", "Hello\n")];
        let clone_url = git.new_repository(REPOSITORY, &files).unwrap();
        let model = agents::start();
        let orders = Orders::new();
        let settings = orders.known_to(settings(&git, &model, &ports()));
        let stack = Stack::start(settings).await;
        let checker = Checker::connect(stack.database_url()).await;
        let caller = Caller::new(stack.service(Program::ApiGateway.name()).url(), stack.key());
        let keeper = Keeper::default();
        Self { stack, git, clone_url, checker, caller, orders, keeper, model }
    }

    /// One round: the orders, the work, the crashes, and the check.
    async fn play(&mut self, number: usize, round: &Round) {
        let held = self.hold(number, round).await;
        late::prepare(&self.stack, &self.caller, &self.checker, number).await;
        self.orders.give(round);
        for program in [Program::Worker, Program::Scheduler] {
            self.stack.signal(program.name(), Signal::CONT);
        }
        let work = Work {
            caller: self.caller.clone(),
            webhook_url: self.stack.webhook_url(),
            clone_url: self.clone_url.clone(),
            round: number,
            again: 0,
            redeliver: Program::ALL.iter().any(|it| round.tries(*it, &OF_REDELIVERY)),
        };
        let kept = tokio::time::timeout(ROUND, self.keep(work, held)).await;
        if kept.is_err() {
            let unsettled = self.checker.unsettled().await;
            panic!(
                "round {number} {:?} has not settled in {ROUND:?}; its points that were not reached: {:?}; {unsettled:#?}; the model was last asked {:?}",
                round.orders,
                self.orders.left(),
                self.model
                    .asked()
                    .iter()
                    .rev()
                    .take(4)
                    .map(|it| (it.form, it.outcome, it.at.elapsed()))
                    .collect::<Vec<_>>()
            );
        }
        self.check(number, round).await;
    }

    /// A task that runs until it is cancelled, where a worker shall have something to hand back.
    async fn hold(&self, number: usize, round: &Round) -> Option<String> {
        if !round.tries(Program::Worker, &AT_ITS_END_OR_START) {
            return None;
        }
        let task = json!({ "role": "architect", "description": HANG_ALWAYS });
        let task = self.caller.create("/tasks", &format!("held-{number}"), &task).await;
        self.caller.until_task(&text(&task["id"]), &["running"]).await;
        Some(text(&task["id"]))
    }

    /// Tells services to end that have orders for then; again and again, since a worker may have had nothing to hand back.
    fn restart(&mut self) {
        for (name, points) in self.orders.left() {
            if points.iter().any(|it| AT_ITS_END_OR_START.contains(&it.as_str())) {
                self.keeper.terminate(&self.stack, name);
            }
        }
    }

    /// Starts again what dies until the work is done, every order carried out, and nothing live is left.
    async fn keep(&mut self, mut work: Work, mut held: Option<String>) {
        let mut working = self.begin(&work).await;
        let mut looks = tokio::time::interval(LOOK);
        let mut restarts = tokio::time::interval(RESTART);
        let mut worked = false;
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                _ = restarts.tick() => self.restart(),
                done = &mut working, if !worked => {
                    done.unwrap();
                    worked = true;
                }
            }
            self.keeper.look(&mut self.stack);
            if self.orders.left().is_empty()
                && let Some(held) = held.take()
            {
                let caller = self.caller.clone();
                let path = format!("/tasks/{held}/cancel");
                // Beside the looks: who answers it may have to be started again.
                tokio::spawn(async move { caller.act(Method::POST, &path, None).await });
            }
            if worked && !self.orders.left().is_empty() {
                work.again += 1;
                working = self.begin(&work).await;
                worked = false;
            }
            if worked && self.orders.left().is_empty() && self.checker.unsettled().await.is_empty()
            {
                // Whoever obeyed the last order may not be dead yet.
                self.keeper.look(&mut self.stack);
                return;
            }
        }
    }

    async fn begin(&self, work: &Work) -> JoinHandle<()> {
        let checker = Checker::connect(self.stack.database_url()).await;
        tokio::spawn(work.clone().run(Some(checker)))
    }

    async fn check(&mut self, number: usize, round: &Round) {
        let orders: usize = round.orders.values().map(Vec::len).sum();
        let mut crashes: usize = self.keeper.crashes().values().sum();
        let late = Instant::now() + Duration::from_secs(5);
        while crashes < orders && Instant::now() < late {
            tokio::time::sleep(LOOK).await;
            self.keeper.look(&mut self.stack);
            crashes += self.keeper.crashes().values().sum::<usize>();
        }
        assert_eq!(crashes, orders, "round {number}: a crash for each of {:?}", round.orders);
        let violations = self.checker.violations(&self.bare()).await;
        assert!(
            violations.is_empty(),
            "round {number}, after crashes at {:?}:\n  {}",
            round.orders,
            violations.join("\n  ")
        );
    }

    /// What the programs say that they have reached holds every point that they should.
    fn assert_all_reached(&self, rounds: &[Round]) {
        for program in Program::ALL {
            let name = program.name();
            let seen: BTreeSet<String> = self.orders.seen(name).into_iter().collect();
            let own = rounds.iter().filter_map(|it| it.orders.get(name)).flatten();
            let missed: Vec<_> = own.filter(|it| !seen.contains(*it)).collect();
            assert!(missed.is_empty(), "{name} has never reached {missed:?}");
        }
    }

    fn bare(&self) -> PathBuf {
        self.git.bare_path(REPOSITORY)
    }
}
