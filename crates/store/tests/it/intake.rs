use domain::delivery::{DeliveryStatus, NewDelivery};
use testkit::{TestStore, on_both_stores};

use crate::scene::{creation, run, task};
use store::{
    PageRequest,
    deliveries::{DeliveryFilter, Redelivery},
    runs::{Created, Creation, Guard},
};

fn delivery(id: &str) -> NewDelivery {
    NewDelivery {
        id: id.to_owned(),
        event: "issues".to_owned(),
        action: Some("labeled".to_owned()),
        repository: Some("o/r".to_owned()),
        sender: Some("octocat".to_owned()),
        installation_id: Some(7),
        payload: br#"{"action":"labeled"}"#.repeat(100),
        skip_reason: None,
    }
}

on_both_stores!(a_delivery_starts_its_run_once, |test: TestStore| async move {
    let attempts: Vec<_> = (0..50)
        .map(|_| {
            let store = test.store.clone();
            tokio::spawn(async move {
                let creation = creation(Guard::Delivery(delivery("d-1")), run(vec![task("work")]));
                store.create(vec![creation.clone(), creation]).await.unwrap()
            })
        })
        .collect();
    let mut new = 0;
    for attempt in attempts {
        for created in attempt.await.unwrap() {
            if matches!(created, Created::New { .. }) {
                new += 1;
            } else {
                assert_eq!(created, Created::Duplicate);
            }
        }
    }
    assert_eq!(new, 1);
    let stored = test.store.find_delivery("d-1".to_owned()).await.unwrap().unwrap();
    assert_eq!(stored.payload, delivery("d-1").payload);
    assert_eq!(stored.delivery.status, DeliveryStatus::Accepted);
    assert!(test.store.find_run(stored.delivery.run_id.unwrap()).await.unwrap().is_some());
});

on_both_stores!(
    a_delivery_that_starts_nothing_is_kept_with_the_reason,
    |test: TestStore| async move {
        let mut skipped = delivery("d-2");
        skipped.skip_reason = Some("no rule for ping".to_owned());
        let creation =
            Creation { guard: Guard::Delivery(skipped), runs: Vec::new(), tasks: Vec::new() };
        test.store.create(vec![creation]).await.unwrap();
        let filter =
            DeliveryFilter { status: Some(DeliveryStatus::Skipped), ..DeliveryFilter::default() };
        let page = PageRequest { after: None, limit: 10 };
        let listed = test.store.list_deliveries(filter, page).await.unwrap().items;
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].reason.as_deref(), Some("no rule for ping"));
    }
);

on_both_stores!(a_redelivery_is_taken_once, |test: TestStore| async move {
    let store = &test.store;
    let first = creation(Guard::Delivery(delivery("d-3")), run(vec![task("work")]));
    store.create(vec![first]).await.unwrap();
    let redelivery = || {
        let guard = Guard::Redelivery { id: "d-3".to_owned(), skip_reason: None };
        creation(guard, run(vec![task("again")]))
    };
    assert_eq!(store.create(vec![redelivery()]).await.unwrap(), [Created::Duplicate]);
    assert!(matches!(
        store.request_redelivery("d-3".to_owned()).await.unwrap(),
        Redelivery::Requested(_)
    ));
    assert!(matches!(
        store.request_redelivery("d-3".to_owned()).await.unwrap(),
        Redelivery::Pending(_)
    ));
    assert_eq!(store.redeliveries(10).await.unwrap().len(), 1);
    let answers = store.create(vec![redelivery(), redelivery()]).await.unwrap();
    assert!(matches!(answers[..], [Created::New { .. }, Created::Duplicate]), "{answers:?}");
    let stored = store.find_delivery("d-3".to_owned()).await.unwrap().unwrap().delivery;
    assert_eq!((stored.status, stored.redeliveries), (DeliveryStatus::Accepted, 1));
    assert_eq!(store.redeliveries(10).await.unwrap(), []);
    assert_eq!(store.request_redelivery("none".to_owned()).await.unwrap(), Redelivery::Missing);
});
