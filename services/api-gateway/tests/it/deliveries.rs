use domain::delivery::NewDelivery;
use serde_json::json;
use store::runs::{Creation, Guard};
use testkit::on_both_stores;

use crate::api::Api;

/// Stores a delivery that starts nothing, as webhook-ingest does.
async fn deliver(api: &Api, id: &str, event: &str, payload: &[u8]) {
    let delivery = NewDelivery {
        id: id.to_owned(),
        event: event.to_owned(),
        action: Some("opened".to_owned()),
        repository: Some("o/n".to_owned()),
        sender: Some("somebody".to_owned()),
        installation_id: Some(7),
        payload: payload.to_vec(),
        skip_reason: Some("no rule".to_owned()),
    };
    let creation =
        Creation { guard: Guard::Delivery(delivery), runs: Vec::new(), tasks: Vec::new() };
    api.db.store.create(vec![creation]).await.unwrap();
}

on_both_stores!(deliveries_are_listed_and_shown_as_they_were_received, |db| async move {
    let api = Api::start(db).await;
    deliver(&api, "d-1", "issues", br#"{ "b": 1, "a": 1.10 }"#).await;
    deliver(&api, "d-2", "push", b"not json").await;
    let listed = async |query: &str| {
        let body = api.get(&format!("/deliveries{query}")).await.expect(200).body;
        body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(listed("").await, ["d-2", "d-1"]);
    assert_eq!(listed("?event=issues&status=skipped&repository=o%2Fn").await, ["d-1"]);
    assert_eq!(listed("?status=accepted").await, [""; 0]);
    let first = api.get("/deliveries?limit=1").await.body;
    assert_eq!(
        listed(&format!("?limit=1&cursor={}", first["nextCursor"].as_str().unwrap())).await,
        ["d-1"]
    );

    let mut shown = api.get("/deliveries/d-1").await.expect(200).body;
    assert!(shown["delivery"].as_object_mut().unwrap().remove("receivedAt").is_some());
    assert_eq!(
        shown,
        json!({
            "delivery": {
                "id": "d-1", "event": "issues", "action": "opened", "repository": "o/n", "sender": "somebody",
                "installationId": 7, "status": "skipped", "reason": "no rule", "runId": null, "size": 21,
                "redeliveries": 0,
            },
            "payload": {"b": 1, "a": 1.1},
        })
    );
    assert_eq!(api.get("/deliveries/d-2").await.expect(200).body["payload"], json!(null));
    api.get("/deliveries/d-3").await.refused(404, "delivery_not_found");
});

on_both_stores!(a_delivery_is_taken_again_on_request, |db| async move {
    let api = Api::start(db).await;
    deliver(&api, "d-1", "issues", b"{}").await;
    for _ in 0..2 {
        let answer = api.order("/deliveries/d-1/redeliver").await.expect(202);
        assert_eq!(answer.text("status"), "redelivering");
    }
    let waiting = api.db.store.redeliveries(10).await.unwrap();
    assert_eq!(waiting.iter().map(|it| it.delivery.id.as_str()).collect::<Vec<_>>(), ["d-1"]);
    api.order("/deliveries/d-3/redeliver").await.refused(404, "delivery_not_found");
});
