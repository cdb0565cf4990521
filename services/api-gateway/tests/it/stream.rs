use std::{collections::BTreeSet, time::Duration};

use api_gateway::settings::{GatewayArgs, Settings};
use eventsource_stream::{Event, Eventsource};
use futures_util::{Stream, StreamExt};
use serde_json::{Value, json};
use testkit::on_both_stores;
use tokio::time::timeout;

use crate::api::{Api, settings};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

type Events = std::pin::Pin<Box<dyn Stream<Item = Event> + Send>>;

async fn follow(api: &Api, run: &str, after: Option<&str>) -> Events {
    let headers: Vec<_> = after.iter().map(|id| ("Last-Event-ID", *id)).collect();
    let response = api.open(&format!("/runs/{run}/events"), &headers).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    response.bytes_stream().eventsource().map(|event| event.unwrap()).boxed()
}

async fn next(events: &mut Events) -> Option<Event> {
    timeout(PATIENCE, events.next()).await.expect("an event, or the end, comes in time")
}

/// Everything up to the end, as (id, name).
async fn rest(events: &mut Events) -> Vec<(String, String)> {
    let mut seen = Vec::new();
    while let Some(event) = next(events).await {
        seen.push((event.id, event.event));
    }
    seen
}

fn names(events: &[(String, String)]) -> Vec<&str> {
    events.iter().map(|(_, name)| name.as_str()).collect()
}

on_both_stores!(
    a_stream_tells_what_happened_then_what_happens_and_ends_with_the_run,
    |db| async move {
        let api = Api::start(db).await;
        let task = api.task().await;
        let run = task.text("runId");
        let mut events = follow(&api, run, None).await;
        let first = next(&mut events).await.unwrap();
        let data: Value = serde_json::from_str(&first.data).unwrap();
        assert_eq!([&data["kind"], &data["runId"]], [&json!(first.event), &json!(run)]);
        assert_eq!(first.event, "run.created");
        assert_eq!(data["id"].to_string(), first.id);

        api.complete(task.id()).await;
        let seen = rest(&mut events).await;
        let seen = names(&seen);
        assert_eq!(&seen[seen.len() - 2..], ["run.completed", "end"]);
        assert!(seen.contains(&"task.started") && seen.contains(&"task.completed"), "{seen:?}");
    }
);

on_both_stores!(
    a_client_that_was_cut_off_at_any_event_misses_none_and_sees_none_twice,
    |db| async move {
        let api = Api::start(db).await;
        let task = api.task().await;
        let run = task.text("runId");
        api.complete(task.id()).await;
        let whole = rest(&mut follow(&api, run, None).await).await;
        let (end, told) = whole.split_last().unwrap();
        assert_eq!(end.1, "end");
        assert!(told.len() >= 4, "{told:?}");
        for (index, (id, _)) in told.iter().enumerate() {
            let resumed = rest(&mut follow(&api, run, Some(id)).await).await;
            let (end, resumed) = resumed.split_last().unwrap();
            assert_eq!(end.1, "end");
            assert_eq!(resumed, &told[index + 1..], "after {id}");
        }
        let beyond = rest(&mut follow(&api, run, Some("9223372036854775807")).await).await;
        assert_eq!(names(&beyond), ["end"]);
    }
);

on_both_stores!(events_that_come_while_clients_come_and_go_are_each_seen_once, |db| async move {
    let api = Api::start(db).await;
    let run = api.task().await.text("runId").to_owned();
    let producer = async {
        let mut ids = Vec::new();
        for _ in 0..30 {
            let body =
                json!({"runId": run, "role": "tester", "description": "x", "dispatch": false});
            ids.push(api.post("/tasks", body).await.expect(201).id().to_owned());
        }
        api.order(&format!("/runs/{run}/cancel")).await.expect(200);
        ids
    };
    let consumer = async {
        let (mut seen, mut last) = (Vec::new(), None);
        loop {
            // Three events each time, and then the line is cut.
            let mut events = follow(&api, &run, last.as_deref()).await;
            for _ in 0..3 {
                match next(&mut events).await {
                    Some(event) if event.event == "end" => return seen,
                    Some(event) => {
                        last = Some(event.id.clone());
                        seen.push(event);
                    }
                    None => break,
                }
            }
        }
    };
    let (made, seen) = tokio::join!(producer, consumer);
    let ids: Vec<i64> = seen.iter().map(|event| event.id.parse().unwrap()).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    let created: BTreeSet<String> = seen
        .iter()
        .filter(|event| event.event == "task.created")
        .map(|event| {
            serde_json::from_str::<Value>(&event.data).unwrap()["taskId"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert!(made.iter().all(|id| created.contains(id)), "{created:?}");
});

on_both_stores!(a_run_that_lives_again_is_followed_again, |db| async move {
    let api = Api::start(db).await;
    let task = api.task().await;
    let run = task.text("runId");
    api.fail(task.id()).await;
    let first = rest(&mut follow(&api, run, None).await).await;
    assert_eq!(names(&first).last(), Some(&"end"));
    api.order(&format!("/runs/{run}/retry")).await.expect(200);
    let last_seen = &first[first.len() - 2].0;
    let mut events = follow(&api, run, Some(last_seen)).await;
    while next(&mut events).await.unwrap().event != "run.reopened" {}
    api.complete(task.id()).await;
    let rest = rest(&mut events).await;
    assert_eq!(&names(&rest)[rest.len() - 2..], ["run.completed", "end"]);
});

on_both_stores!(a_silent_stream_sends_comments, |db| async move {
    let args = GatewayArgs { stream_heartbeat_ms: 20, ..settings().args };
    let api = Api::start_with(db, Settings { args, ..settings() }).await;
    let run = api.task().await.text("runId").to_owned();
    let mut bytes = api.open(&format!("/runs/{run}/events"), &[]).await.bytes_stream();
    let mut text = String::new();
    while !text.contains(": nothing new\n\n") {
        let piece =
            timeout(PATIENCE, bytes.next()).await.expect("it sends something").unwrap().unwrap();
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
    assert!(text.starts_with("retry: 1000\n\n"), "{text}");
});

on_both_stores!(as_many_streams_are_open_as_may_be, |db| async move {
    // That a client has left shows when something is sent to it.
    let args = GatewayArgs { max_streams: 1, stream_heartbeat_ms: 20, ..settings().args };
    let api = Api::start_with(db, Settings { args, ..settings() }).await;
    let run = api.task().await.text("runId").to_owned();
    let path = format!("/runs/{run}/events");
    let mut first = follow(&api, &run, None).await;
    next(&mut first).await.unwrap();
    let refused = api.get(&path).await.refused(503, "too_many_streams");
    assert_eq!(refused.header("retry-after"), "1");
    drop(first);
    testkit::eventually("the place of a client who left is free", async || {
        (api.open(&path, &[]).await.status() == 200).then_some(())
    })
    .await;
});

on_both_stores!(streams_end_when_the_service_stops, |db| async move {
    let api = Api::start(db).await;
    let run = api.task().await.text("runId").to_owned();
    let mut events = follow(&api, &run, None).await;
    next(&mut events).await.unwrap();
    api.shutdown.cancel();
    let seen = rest(&mut events).await;
    assert!(
        !names(&seen).contains(&"end"),
        "the run goes on, so the client is to come back: {seen:?}"
    );
});

on_both_stores!(a_last_event_id_that_is_none_is_refused, |db| async move {
    let api = Api::start(db).await;
    let run = api.task().await.text("runId").to_owned();
    for id in ["x", "-1", "1.5", "99999999999999999999"] {
        let headers = [("Last-Event-ID", id)];
        let path = format!("/runs/{run}/events");
        let refused = api
            .send(reqwest::Method::GET, &path, &headers, None)
            .await
            .refused(400, "invalid_header");
        assert_eq!(refused.fields(), ["Last-Event-ID"], "{id}");
    }
});
