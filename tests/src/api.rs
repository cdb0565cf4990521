//! The API as a client of it sees it.
//!
//! Every answer is checked against the OpenAPI description that the service itself gives: an operation that is not described,
//! a status that it does not list or a body that does not fit its schema fails the test.

mod description;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::wait::until;
use description::Description;

/// The longest time that one request may take.
const REQUEST: Duration = Duration::from_secs(60);

/// An HTTP client for tests.
pub fn client() -> reqwest::Client {
    let client = reqwest::Client::builder().timeout(REQUEST).no_proxy().build();
    client.expect("a client without special wishes can be made")
}

/// A client of the API.
pub struct Api {
    http: reqwest::Client,
    url: String,
    key: Option<String>,
    description: Description,
    /// Everything that was answered so far.
    heard: Mutex<String>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    /// Null if it has no body.
    pub body: Value,
}

/// One event of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamedEvent {
    /// `end` for the last.
    pub name: String,
    pub data: Value,
}

impl Api {
    /// A client that has read the description.
    pub async fn connect(url: &str, key: Option<&str>) -> Self {
        let http = client();
        let answer = http.get(format!("{url}/openapi.json")).send().await;
        let answer = answer.expect("the gateway gives its description").json().await;
        let description = Description::new(answer.expect("the description is JSON"));
        let key = key.map(str::to_owned);
        Self { http, url: url.to_owned(), key, description, heard: Mutex::default() }
    }

    /// Sends a request. `path` is as the description has it, with `ids` for its parameters, and may end with a query.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        ids: &[&str],
        body: Option<&Value>,
    ) -> Answer {
        let mut request = self.request(&method, path, ids);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await;
        let response = response.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let status = response.status();
        let text = response.text().await.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
        let body = match text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text)
                .unwrap_or_else(|error| panic!("{method} {path}: {status}, {error}: {text}")),
        };
        let template = path.split('?').next().unwrap_or_default();
        self.description.check(&method, template, status, &body);
        Answer { status: status.as_u16(), body }
    }

    /// What is there. Fails unless the answer is 200.
    pub async fn get(&self, path: &str, ids: &[&str]) -> Value {
        let Answer { status, body } = self.send(Method::GET, path, ids, None).await;
        assert_eq!(status, 200, "GET {path} {ids:?}: {body}");
        body
    }

    /// Has something done. Fails unless the status says success.
    pub async fn post(&self, path: &str, ids: &[&str], body: Option<&Value>) -> Value {
        let answer = self.send(Method::POST, path, ids, body).await;
        assert!(
            (200..300).contains(&answer.status),
            "POST {path} {ids:?}: {} {}",
            answer.status,
            answer.body
        );
        answer.body
    }

    /// The items of a list that fits on one page.
    pub async fn list(&self, path: &str, ids: &[&str]) -> Vec<Value> {
        let body = self.get(path, ids).await;
        assert_eq!(
            body.get("nextCursor").unwrap_or(&Value::Null),
            &Value::Null,
            "{path} has another page"
        );
        body["items"].as_array().unwrap_or_else(|| panic!("{path}: no items in {body}")).clone()
    }

    /// Makes a task of its own by a role, and gives its id and that of its run.
    pub async fn create_task(&self, role: &str, description: &str) -> (String, String) {
        let task = json!({ "role": role, "description": description });
        let task = self.post("/tasks", &[], Some(&task)).await;
        (text(&task["id"]), text(&task["runId"]))
    }

    /// Waits until a task has a status.
    pub async fn until_task(&self, id: &str, status: &str, within: Duration) -> Value {
        let what = format!("task {id} is {status}");
        until(&what, within, || async {
            let task = self.get("/tasks/{id}", &[id]).await;
            (task["status"] == status).then_some(task)
        })
        .await
    }

    /// Follows a run to its end, and gives every event of its stream.
    pub async fn follow(&self, run: &str, within: Duration) -> Vec<StreamedEvent> {
        let request = self.request(&Method::GET, "/runs/{id}/events", &[run]).timeout(within);
        let following = async {
            let response = request.send().await?;
            assert_eq!(response.status(), StatusCode::OK, "the events of run {run}");
            response.text().await
        };
        let text = following
            .await
            .unwrap_or_else(|error| panic!("run {run}, followed for at most {within:?}: {error}"));
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
        let events: Vec<_> = text.split("\n\n").filter_map(event).collect();
        for event in events.iter().filter(|it| it.name != "end") {
            self.description.check_schema("HistoryEvent", &event.data);
        }
        assert_eq!(
            events.last().map(|it| it.name.as_str()),
            Some("end"),
            "the stream of run {run} ends with its run"
        );
        events
    }

    /// Fails if one of the secrets was ever in an answer.
    #[track_caller]
    pub fn assert_never_heard(&self, secrets: &[&str]) {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, secret) in secrets.iter().enumerate() {
            assert!(!heard.contains(secret), "secret {index} was in an answer");
        }
    }

    /// A request with the key. `path` may end with a query.
    fn request(&self, method: &Method, path: &str, ids: &[&str]) -> reqwest::RequestBuilder {
        let (template, query) = path.split_once('?').unwrap_or((path, ""));
        let mut url = format!("{}{}", self.url, filled(template, ids));
        if !query.is_empty() {
            url = format!("{url}?{query}");
        }
        let request = self.http.request(method.clone(), url);
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }
}

/// The text that a JSON string holds.
#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// A path with its parameters filled in.
fn filled(template: &str, ids: &[&str]) -> String {
    let mut ids = ids.iter();
    let part = |part: &str| match part.strip_prefix('{') {
        Some(_) => (*ids.next().expect("a path has an id for each parameter")).to_owned(),
        None => part.to_owned(),
    };
    template.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// One block of an event stream; none for comments and the like.
fn event(block: &str) -> Option<StreamedEvent> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
    let data = field("data: ")?;
    let data = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"));
    Some(StreamedEvent { name: field("event: ")?.to_owned(), data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_takes_its_ids_in_order() {
        assert_eq!(filled("/a/{id}/b/{other}", &["1", "2"]), "/a/1/b/2");
    }

    #[test]
    fn a_block_of_a_stream_is_an_event_if_it_has_data() {
        let data = json!({ "a": 1 });
        let expected = StreamedEvent { name: "task.queued".to_owned(), data };
        assert_eq!(event("id: 1\nevent: task.queued\ndata: {\"a\":1}"), Some(expected));
        assert_eq!(event(": nothing new"), None);
        assert_eq!(event("retry: 1000"), None);
    }
}
