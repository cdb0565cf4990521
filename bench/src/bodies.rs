//! The requests that the measures send to the API.

use std::sync::Arc;

use uuid::Uuid;

use crate::{http, load::Requests};

/// About 300 bytes of JSON, as a small task has.
const DESCRIPTION: &str = "Read the change, look whether the tests cover what it says, and answer in one paragraph what is missing, with the names of the files and functions.";

/// The headers of a key.
pub(crate) fn authorization(key: &str) -> String {
    format!("Authorization: Bearer {key}\r\n")
}

/// `POST /tasks`: a task in a run of its own. With `ids`, the client chooses its id.
pub(crate) fn single(key: &str, ids: Option<Arc<Vec<Uuid>>>) -> Requests {
    let headers = authorization(key);
    Arc::new(move |index, into| {
        let id = ids.as_ref().map(|it| format!(r#""id":"{}","#, it[index])).unwrap_or_default();
        let body = format!(
            r#"{{{id}"role":"implementer","description":"{DESCRIPTION}","payload":{{"change":"{index:08x}","files":["src/lib.rs","src/load.rs","tests/load.rs"],"lines":{index}}}}}"#
        );
        http::post(into, "/tasks", &headers, body.as_bytes());
    })
}

/// `POST /tasks/batch`: so many tasks in one run, none of which waits for another.
pub(crate) fn batch(key: &str, size: usize) -> Requests {
    let headers = authorization(key);
    Arc::new(move |index, into| {
        let mut body = String::from(r#"{"tasks":["#);
        for place in 0..size {
            let comma = if place == 0 { "" } else { "," };
            body.push_str(&format!(
                r#"{comma}{{"role":"implementer","description":"{DESCRIPTION}","payload":{{"change":"{index:08x}-{place}","files":["src/lib.rs","src/load.rs","tests/load.rs"],"lines":{place}}}}}"#
            ));
        }
        body.push_str("]}");
        http::post(into, "/tasks/batch", &headers, body.as_bytes());
    })
}

/// `POST /tasks/batch`: five tasks in a row. `last` has the id of each run's last task, where the caller wants to know it.
pub(crate) fn chain(key: &str, last: Option<Arc<Vec<Uuid>>>) -> Requests {
    let headers = authorization(key);
    Arc::new(move |index, into| {
        let mut ids = [Uuid::nil(); CHAIN];
        ids.fill_with(Uuid::now_v7);
        if let Some(last) = &last {
            ids[CHAIN - 1] = last[index];
        }
        let mut body = String::from(r#"{"tasks":["#);
        for (place, id) in ids.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let after =
                place.checked_sub(1).map(|it| format!(r#""{}""#, ids[it])).unwrap_or_default();
            body.push_str(&format!(
                r#"{comma}{{"id":"{id}","role":"implementer","description":"{DESCRIPTION}","payload":{{"change":{index},"step":{place}}},"dependsOn":[{after}]}}"#
            ));
        }
        body.push_str("]}");
        http::post(into, "/tasks/batch", &headers, body.as_bytes());
    })
}

/// Tasks in a row.
pub(crate) const CHAIN: usize = 5;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn body(requests: &Requests, index: usize) -> Value {
        let mut bytes = Vec::new();
        requests(index, &mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("Authorization: Bearer key"), "{head}");
        serde_json::from_str(body).unwrap()
    }

    #[test]
    fn a_single_task_has_about_300_bytes_and_the_id_that_it_was_given() {
        let ids = Arc::new(vec![Uuid::nil(), Uuid::max()]);
        let task = body(&single("key", Some(ids)), 1);
        assert_eq!(task["id"], Uuid::max().to_string());
        let size = body(&single("key", None), 7).to_string().len();
        assert!((250..350).contains(&size), "{size}");
    }

    #[test]
    fn a_batch_has_its_size() {
        assert_eq!(body(&batch("key", 3), 0)["tasks"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn each_task_of_a_chain_waits_for_the_one_before() {
        let last = Arc::new(vec![Uuid::max()]);
        let tasks = body(&chain("key", Some(last)), 0)["tasks"].as_array().unwrap().clone();
        assert_eq!(tasks.len(), CHAIN);
        assert_eq!(tasks[0]["dependsOn"].as_array().unwrap().len(), 0);
        for pair in tasks.windows(2) {
            assert_eq!(pair[1]["dependsOn"][0], pair[0]["id"]);
        }
        assert_eq!(tasks[CHAIN - 1]["id"], Uuid::max().to_string());
    }
}
