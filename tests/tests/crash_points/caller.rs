//! A client that asks until it is answered, as a careful one does whose server may be gone.

use std::time::Duration;

use e2e::wait::until;
use reqwest::Method;
use serde_json::Value;

/// How long a request may be repeated; services come back within a second or two.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Clone)]
pub(crate) struct Caller {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Caller {
    pub(crate) fn new(url: &str, key: &str) -> Self {
        let http = reqwest::Client::builder().timeout(ANSWER).no_proxy().build().unwrap();
        Self { http, url: url.to_owned(), key: key.to_owned() }
    }

    /// Creates something, with the same Idempotency-Key however often it must ask.
    pub(crate) async fn create(&self, path: &str, key: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(Method::POST, path, Some(body), Some(key)).await;
        assert_eq!(status, 201, "POST {path} with {key}: {answer}");
        answer
    }

    /// Has something done. What was done already by a request whose answer was lost may be refused as such.
    pub(crate) async fn act(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self.ask(method.clone(), path, body, None).await;
        assert!(
            (200..300).contains(&status) || status == 404 || status == 409,
            "{method} {path}: {status} {answer}"
        );
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask(Method::GET, path, None, None).await;
        assert_eq!(status, 200, "GET {path}: {answer}");
        answer
    }

    /// Every item of a list, page by page.
    pub(crate) async fn all(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("{path}{cursor}")).await;
            items.extend(page["items"].as_array().unwrap().clone());
            let Some(next) = page["nextCursor"].as_str() else { return items };
            let sign = if path.contains('?') { '&' } else { '?' };
            cursor = format!("{sign}cursor={next}");
        }
    }

    /// Waits until a task has one of these statuses.
    pub(crate) async fn until_task(&self, id: &str, statuses: &[&str]) -> Value {
        until(&format!("task {id} is {statuses:?}"), PATIENCE, || async {
            let task = self.get(&format!("/tasks/{id}")).await;
            statuses.iter().any(|it| task["status"] == **it).then_some(task)
        })
        .await
    }

    /// Repeats a request until there is a whole answer that is no server's fault.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> (u16, Value) {
        until(&format!("{method} {path} is answered"), PATIENCE, || async {
            let url = format!("{}{path}", self.url);
            let mut request = self.http.request(method.clone(), url).bearer_auth(&self.key);
            if let Some(key) = key {
                request = request.header("Idempotency-Key", key);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let response = request.send().await.ok()?;
            let status = response.status();
            let text = response.text().await.ok()?;
            if status.is_server_error() {
                return None;
            }
            let answer =
                if text.is_empty() { Some(Value::Null) } else { serde_json::from_str(&text).ok() };
            Some((status.as_u16(), answer?))
        })
        .await
    }
}
