//! A client's work of one round: every operation of the API, and a delivery.

use e2e::{
    api::text,
    delivery::{Delivery, Issue, Repository},
    wait::until,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    agents::{FAIL_ALWAYS, HANG_ALWAYS, TITLE},
    caller::Caller,
    checker::{Checker, ONCE},
    late,
};

pub(crate) const WEBHOOK_SECRET: &str = "the secret of the campaign";

/// Statuses that do not change by themselves.
const FINAL: [&str; 3] = ["completed", "failed", "cancelled"];

/// What a round works on.
#[derive(Clone)]
pub(crate) struct Work {
    pub(crate) caller: Caller,
    pub(crate) webhook_url: String,
    pub(crate) clone_url: String,
    pub(crate) round: usize,
    /// How often it was done before in this round: a program that died at one point has yet to come to the next.
    pub(crate) again: usize,
    /// Whether the delivery is taken a second time.
    pub(crate) redeliver: bool,
}

impl Work {
    /// Does it all. What it leaves live ends by itself.
    pub(crate) async fn run(self, checker: Option<Checker>) {
        tokio::join!(
            self.deliver(),
            self.batch(),
            self.fail(),
            self.hold_back(),
            self.cancel(checker.as_ref()),
            self.schedule(),
        );
    }

    /// What sets this work apart from all other.
    fn label(&self) -> String {
        format!("{}.{}", self.round, self.again)
    }

    /// A task of its own, not yet ended.
    async fn task(&self, words: &str, extra: Value) -> Value {
        let key = format!("{}-{}", self.label(), words.replace(' ', "-"));
        let mut task = json!({ "role": "architect", "description": format!("{ONCE} {} {words}", self.label()) });
        for (name, value) in extra.as_object().into_iter().flatten() {
            task[name] = value.clone();
        }
        self.caller.create("/tasks", &key, &task).await
    }

    async fn post(&self, path: &str) -> Value {
        self.caller.act(Method::POST, path, None).await
    }

    /// A labelled issue becomes a reviewed branch.
    async fn deliver(&self) {
        let repository = Repository {
            owner: "acme".to_owned(),
            name: "greeter".to_owned(),
            clone_url: self.clone_url.clone(),
        };
        let issue = Issue {
            number: i64::try_from(self.round + 1 + 1_000 * self.again).unwrap(),
            title: format!("{TITLE} {}.", self.label()),
            body: "Please.".to_owned(),
        };
        let delivery = Delivery::issue_labeled(&repository, &issue, "ai-task");
        let within = std::time::Duration::from_secs(30);
        until("the delivery is taken", within, || async {
            let receipt = delivery.try_send(&self.webhook_url, WEBHOOK_SECRET).await.ok()?;
            (receipt.status == 202).then_some(())
        })
        .await;
        if self.redeliver {
            self.post(&format!("/deliveries/{}/redeliver", delivery.id)).await;
        }
    }

    /// One task and those that wait for it, more than the worker that ends it claims at once.
    async fn batch(&self) {
        let id = || uuid::Uuid::now_v7().to_string();
        let (first, last) = (id(), id());
        let middle: Vec<String> = (0..4).map(|_| id()).collect();
        let description = |it: &str| format!("{ONCE} {} batch {it}", self.label());
        let mut tasks =
            vec![json!({ "id": first, "role": "architect", "description": description("first") })];
        for (index, id) in middle.iter().enumerate() {
            tasks.push(json!({
                "id": id, "role": "tester", "dependsOn": [first],
                "description": description(&format!("middle {index}")),
            }));
        }
        tasks.push(json!({
            "id": last, "role": "maintainer", "dependsOn": middle, "description": description("last"),
        }));
        let key = format!("{}-batch", self.label());
        self.caller.create("/tasks/batch", &key, &json!({ "tasks": tasks })).await;
    }

    /// A task that always fails, tried again in every way there is, and dismissed.
    async fn fail(&self) {
        let task = self.task(FAIL_ALWAYS, json!({ "maxAttempts": 1 })).await;
        let (id, run) = (text(&task["id"]), text(&task["runId"]));
        let letters = json!({ "taskIds": [id] });
        self.caller.until_task(&id, &["failed"]).await;
        self.caller.act(Method::POST, "/dlq/replay", Some(&letters)).await;
        self.caller.until_task(&id, &["failed"]).await;
        self.post(&format!("/tasks/{id}/retry")).await;
        self.caller.until_task(&id, &["failed"]).await;
        self.post(&format!("/runs/{run}/retry")).await;
        self.caller.until_task(&id, &["failed"]).await;
        self.caller.act(Method::DELETE, &format!("/dlq?taskId={id}"), None).await;
    }

    /// Tasks that wait for somebody: changed, dispatched, deleted.
    async fn hold_back(&self) {
        let pending = || json!({ "dispatch": false });
        let changed = self.task("changed", pending()).await;
        let id = text(&changed["id"]);
        let path = format!("/tasks/{id}");
        self.caller.act(Method::PATCH, &path, Some(&json!({ "priority": 1 }))).await;
        let metadata = json!({ "round": self.round });
        self.caller.act(Method::PATCH, &format!("{path}/metadata"), Some(&metadata)).await;
        self.post(&format!("{path}/dispatch")).await;
        let deleted = self.task("deleted", pending()).await;
        let path = format!("/tasks/{}", text(&deleted["id"]));
        self.caller.act(Method::DELETE, &path, None).await;
        let next = self.task("next", pending()).await;
        self.post("/tasks/dispatch").await;
        let done = self.caller.until_task(&text(&next["id"]), &FINAL).await;
        assert_eq!(done["status"], "completed", "{done}");
        let changed = self.caller.until_task(&id, &FINAL).await;
        assert_eq!(
            (&changed["status"], &changed["priority"], &changed["metadata"]),
            (&json!("completed"), &json!(1), &metadata)
        );
    }

    /// What never ends is cancelled, alone and with its run.
    async fn cancel(&self, checker: Option<&Checker>) {
        let words = ["one", "other"].map(|it| format!("{HANG_ALWAYS} {it}"));
        let (one, other) =
            tokio::join!(self.task(&words[0], json!({})), self.task(&words[1], json!({})));
        let (id, run) = (text(&one["id"]), text(&other["runId"]));
        self.caller.until_task(&id, &["running"]).await;
        let renewed = format!(
            "SELECT 'x' FROM tasks WHERE id = '{id}' AND (fence > 1 OR leased_until > started_at + interval '1600 ms')"
        );
        match checker {
            Some(checker) => checker.until_some("a lease is renewed", &renewed).await,
            // More than a third of a lease: the worker renews what it runs.
            None => tokio::time::sleep(std::time::Duration::from_millis(500)).await,
        }
        self.post(&format!("/tasks/{id}/cancel")).await;
        self.post(&format!("/runs/{run}/pause")).await;
        self.post(&format!("/runs/{run}/resume")).await;
        self.post(&format!("/runs/{run}/cancel")).await;
        for id in [id, text(&other["id"])] {
            let task = self.caller.until_task(&id, &FINAL).await;
            assert_eq!(task["status"], "cancelled", "{task}");
        }
    }

    async fn path_of_schedule(&self, name: &str) -> String {
        let list = self.caller.get("/schedules").await;
        let schedules = list["items"].as_array().unwrap();
        let schedule = schedules.iter().find(|it| it["name"] == *name).unwrap();
        format!("/schedules/{}", text(&schedule["id"]))
    }

    /// A schedule that is changed, fired by hand and deleted; and that of this round, which is due and fires.
    async fn schedule(&self) {
        let unused = format!("unused {}", self.label());
        late::make_schedule(&self.caller, &unused, 86_400_000).await;
        let path = self.path_of_schedule(&unused).await;
        self.caller.act(Method::PATCH, &path, Some(&json!({ "catchUp": "skip" }))).await;
        self.post(&format!("{path}/trigger")).await;
        self.caller.act(Method::DELETE, &path, None).await;
        if self.again > 0 {
            return;
        }
        let path = self.path_of_schedule(&late::schedule(self.round)).await;
        until("the schedule fires", std::time::Duration::from_secs(20), || async {
            (!self.caller.get(&path).await["lastSlot"].is_null()).then_some(())
        })
        .await;
        self.caller.act(Method::DELETE, &path, None).await;
    }
}
