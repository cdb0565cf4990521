use serde_json::json;
use testkit::on_both_stores;

use crate::api::Api;

async fn make(api: &Api, count: usize) -> Vec<String> {
    let item = |index: usize| json!({"role": if index.is_multiple_of(2) { "tester" } else { "reviewer" }, "description": format!("Task 100% #{index}_")});
    let body = json!({"tasks": (0..count).map(item).collect::<Vec<_>>()});
    let made = api.post("/tasks/batch", body).await.expect(201);
    made.body["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

/// Every page of a list, as the ids on it.
async fn pages(api: &Api, query: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("/tasks?{query}{cursor}")).await.expect(200).body;
        let ids = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["id"].as_str().unwrap().to_owned());
        pages.push(ids.collect());
        let Some(next) = page["nextCursor"].as_str() else { return pages };
        cursor = format!("&cursor={next}");
    }
}

on_both_stores!(pages_hold_every_row_once, |db| async move {
    let api = Api::start(db).await;
    let mut made = make(&api, 25).await;
    let pages_of_ten = pages(&api, "limit=10").await;
    assert_eq!(pages_of_ten.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
    let mut seen = pages_of_ten.concat();
    seen.sort();
    made.sort();
    assert_eq!(seen, made);
    assert_eq!(pages(&api, "limit=25").await.len(), 1);
    assert_eq!(pages(&api, "").await.len(), 1);
});

on_both_stores!(a_page_stays_in_place_while_rows_are_added, |db| async move {
    let api = Api::start(db).await;
    make(&api, 6).await;
    let first = api.get("/tasks?limit=4").await.body;
    let whole = pages(&api, "").await.concat();
    make(&api, 3).await;
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = api.get(&format!("/tasks?limit=4&cursor={cursor}")).await.body;
    let ids: Vec<_> =
        second["items"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids, whole[4..]);
});

on_both_stores!(lists_are_filtered, |db| async move {
    let api = Api::start(db).await;
    let made = make(&api, 11).await;
    api.order(&format!("/tasks/{}/cancel", made[4])).await.expect(200);
    let run = api.get(&format!("/tasks/{}", made[0])).await.text("runId").to_owned();
    let count = async |query: &str| pages(&api, query).await.concat().len();
    assert_eq!(count("role=tester").await, 6);
    assert_eq!(count("status=cancelled").await, 1);
    assert_eq!(count("status=cancelled&role=reviewer").await, 0);
    assert_eq!(count(&format!("runId={run}")).await, 11);
    assert_eq!(count("runId=0197f1de-0000-7000-8000-000000000000").await, 0);
    assert_eq!(count("q=TASK").await, 11);
    assert_eq!(count("q=%23" /* # */).await, 11);
    assert_eq!(count("q=100%25+%231_").await, 1);
    assert_eq!(count("q=1000_").await, 0);
    assert_eq!(count("q=").await, 11);
});

on_both_stores!(what_is_wrong_with_a_query_is_named, |db| async move {
    let api = Api::start(db).await;
    let foreign = format!("{:019}{}", 7, "ab".repeat(10));
    let whole = {
        make(&api, 2).await;
        api.get("/tasks?limit=1").await.body["nextCursor"].as_str().unwrap().to_owned()
    };
    let (shorter, longer, other) =
        (&whole[1..], format!("{whole}0"), whole.to_uppercase().replace('0', "O"));
    let long = "x".repeat(201);
    for (query, code, field) in [
        ("limit=0", "invalid_query", "limit"),
        ("limit=201", "invalid_query", "limit"),
        ("limit=-1", "invalid_query", "limit"),
        ("limit=x", "invalid_query", "limit"),
        ("limit=1&limit=2", "invalid_query", "limit"),
        ("cursor=x", "invalid_cursor", "cursor"),
        (&*format!("cursor={foreign}"), "invalid_cursor", "cursor"),
        (&*format!("cursor={shorter}"), "invalid_cursor", "cursor"),
        (&*format!("cursor={longer}"), "invalid_cursor", "cursor"),
        (&*format!("cursor={other}"), "invalid_cursor", "cursor"),
        ("status=done", "invalid_query", "status"),
        ("role=boss", "invalid_query", "role"),
        ("runId=x", "invalid_query", "runId"),
        ("page=2", "invalid_query", "page"),
        ("q=a%00b", "invalid_query", "q"),
        (&*format!("q={long}"), "invalid_query", "q"),
    ] {
        let refused = api.get(&format!("/tasks?{query}")).await.refused(400, code);
        assert_eq!(refused.fields(), [field], "{query}");
    }
    for path in ["/runs", "/dlq", "/deliveries"] {
        let refused = api.get(&format!("{path}?limit=201")).await.refused(400, "invalid_query");
        assert_eq!(refused.fields(), ["limit"], "{path}");
        api.get(&format!("{path}?cursor=x")).await.refused(400, "invalid_cursor");
        api.get(&format!("{path}?bogus=1")).await.refused(400, "invalid_query");
    }
});
