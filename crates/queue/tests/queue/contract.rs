//! What every queue promises, whatever it is made of.

use std::{collections::HashSet, sync::Arc, time::Duration};

use domain::role::Role;
use futures_util::future::{BoxFuture, join_all};
use queue::{Disposition, PublishError, Queue, QueueArgs, QueueStatus, Subscription};

use crate::support::{
    SOON, and_delete_queues, bodies, in_process, message, messages, publish, rabbitmq, receive,
    receive_all, receive_nothing, settle_all, up_soon,
};

const ROLE: Role = Role::Implementer;

type Promise = fn(Arc<dyn Queue>) -> BoxFuture<'static, ()>;

const PROMISES: &[(&str, Promise)] = &[
    ("a message reaches subscriptions to its role and no other", |it| {
        Box::pin(a_message_reaches_its_role(it))
    }),
    ("messages of one role come in the order of publishing", |it| {
        Box::pin(messages_come_in_order(it))
    }),
    ("what is acknowledged never comes again", |it| Box::pin(acknowledged_is_gone(it))),
    ("what is requeued comes again, marked as such", |it| Box::pin(requeued_comes_again(it))),
    ("a dead letter never comes again", |it| Box::pin(a_dead_letter_is_gone(it))),
    ("a message comes only as often as the limit allows", |it| {
        Box::pin(deliveries_are_limited(it))
    }),
    ("closing a subscription gives back what is unsettled", |it| Box::pin(closing_gives_back(it))),
    ("no more than the prefetch is unsettled", |it| Box::pin(prefetch_is_kept(it))),
    ("competing subscriptions share the messages", |it| Box::pin(messages_are_shared(it))),
    ("a receive that is dropped has taken nothing", |it| Box::pin(receive_is_cancel_safe(it))),
    ("deliveries can be settled in any mixture", |it| Box::pin(settles_any_mixture(it))),
    ("a full queue refuses until there is room", |it| Box::pin(a_full_queue_refuses(it))),
    ("depths count what waits", |it| Box::pin(depths_count(it))),
    ("after close nothing is delivered or taken", |it| Box::pin(closed_is_closed(it))),
];

/// Small enough that the promises about limits are quickly tried.
const LIMITS: [&str; 4] = ["--queue-delivery-limit", "2", "--queue-capacity", "50"];

#[tokio::test]
async fn the_queue_in_process_keeps_every_promise() {
    for (name, promise) in PROMISES {
        check(name, *promise, in_process(&LIMITS)).await;
    }
}

#[tokio::test]
async fn the_queue_on_rabbitmq_keeps_every_promise() {
    join_all(PROMISES.iter().map(async |(name, promise)| {
        let args = rabbitmq(&LIMITS);
        and_delete_queues(&args, check(name, *promise, args.clone())).await;
    }))
    .await;
}

async fn check(name: &str, promise: Promise, args: QueueArgs) {
    let queue = queue::connect(&args, "contract").await.unwrap();
    up_soon(&*queue).await;
    let kept = tokio::spawn(promise(queue.clone())).await;
    queue.close().await;
    assert!(kept.is_ok(), "broken: {name}");
}

async fn a_message_reaches_its_role(queue: Arc<dyn Queue>) {
    let mut others = queue.subscribe(&[Role::Reviewer, Role::Tester], 10).await;
    let mut mine = queue.subscribe(&[ROLE, Role::Architect], 10).await;
    let sent = [message(ROLE), message(Role::Architect)];
    publish(&*queue, &sent).await;

    let received = receive_all(&mut *mine, 2).await;
    let expected: HashSet<_> = sent.iter().map(|it| (*it, it.role, false)).collect();
    let got = bodies(&received)
        .into_iter()
        .zip(&received)
        .map(|(body, it)| (body, it.role, it.redelivered));
    assert_eq!(got.collect::<HashSet<_>>(), expected);
    receive_nothing(&mut *others).await;
}

async fn messages_come_in_order(queue: Arc<dyn Queue>) {
    let sent = messages(ROLE, 40);
    publish(&*queue, &sent).await;
    let mut subscription = queue.subscribe(&[ROLE], 100).await;
    assert_eq!(bodies(&receive_all(&mut *subscription, 40).await), sent);
}

async fn acknowledged_is_gone(queue: Arc<dyn Queue>) {
    publish(&*queue, &messages(ROLE, 5)).await;
    let mut subscription = queue.subscribe(&[ROLE], 10).await;
    let received = receive_all(&mut *subscription, 5).await;
    settle_all(&mut *subscription, received, Disposition::Ack).await;
    subscription.close().await;

    let last = message(ROLE);
    publish(&*queue, &[last]).await;
    let mut subscription = queue.subscribe(&[ROLE], 10).await;
    assert_eq!(bodies(&receive(&mut *subscription, 10).await), [last]);
}

async fn requeued_comes_again(queue: Arc<dyn Queue>) {
    let sent = message(ROLE);
    publish(&*queue, &[sent]).await;
    let mut subscription = queue.subscribe(&[ROLE], 10).await;
    let received = receive(&mut *subscription, 1).await;
    settle_all(&mut *subscription, received, Disposition::Requeue).await;

    let again = receive(&mut *subscription, 1).await;
    assert_eq!((bodies(&again), again[0].redelivered), (vec![sent], true));
}

async fn a_dead_letter_is_gone(queue: Arc<dyn Queue>) {
    publish(&*queue, &[message(ROLE)]).await;
    let mut subscription = queue.subscribe(&[ROLE], 10).await;
    let received = receive(&mut *subscription, 1).await;
    settle_all(&mut *subscription, received, Disposition::DeadLetter).await;

    let last = message(ROLE);
    publish(&*queue, &[last]).await;
    assert_eq!(bodies(&receive(&mut *subscription, 10).await), [last]);
    receive_nothing(&mut *subscription).await;
}

async fn deliveries_are_limited(queue: Arc<dyn Queue>) {
    publish(&*queue, &[message(ROLE)]).await;
    let mut subscription = queue.subscribe(&[ROLE], 10).await;
    // Once, and twice again: the limit of these tests.
    for _ in 0..3 {
        let received = receive(&mut *subscription, 1).await;
        settle_all(&mut *subscription, received, Disposition::Requeue).await;
    }
    receive_nothing(&mut *subscription).await;
}

async fn closing_gives_back(queue: Arc<dyn Queue>) {
    let sent = messages(ROLE, 3);
    publish(&*queue, &sent).await;
    let mut first = queue.subscribe(&[ROLE], 10).await;
    receive_all(&mut *first, 2).await;
    first.close().await;

    let mut second = queue.subscribe(&[ROLE], 10).await;
    let received = receive_all(&mut *second, 3).await;
    assert_eq!(bodies(&received).into_iter().collect::<HashSet<_>>(), sent.into_iter().collect());
}

async fn prefetch_is_kept(queue: Arc<dyn Queue>) {
    publish(&*queue, &messages(ROLE, 10)).await;
    let mut subscription = queue.subscribe(&[ROLE], 3).await;
    let mut held = receive_all(&mut *subscription, 3).await;
    receive_nothing(&mut *subscription).await;

    settle_all(&mut *subscription, held.split_off(1), Disposition::Ack).await;
    receive_all(&mut *subscription, 2).await;
    receive_nothing(&mut *subscription).await;
}

async fn messages_are_shared(queue: Arc<dyn Queue>) {
    let mut sharing = Vec::new();
    for _ in 0..3 {
        sharing.push(queue.subscribe(&[ROLE], 4).await);
    }
    let sent = messages(ROLE, 40);
    publish(&*queue, &sent).await;

    let (got, mut all) = tokio::sync::mpsc::unbounded_channel();
    let consumers = sharing.into_iter().map(|mut subscription: Box<dyn Subscription>| {
        let got = got.clone();
        tokio::spawn(async move {
            while let Some(received) = subscription.receive(10).await {
                let messages = bodies(&received);
                settle_all(&mut *subscription, received, Disposition::Ack).await;
                messages.into_iter().for_each(|it| got.send(it).unwrap());
            }
        })
    });
    let consumers: Vec<_> = consumers.collect();
    let mut received = Vec::new();
    while received.len() < 40 {
        received.push(tokio::time::timeout(SOON, all.recv()).await.unwrap().unwrap());
    }
    queue.close().await;
    for consumer in consumers {
        consumer.await.unwrap();
    }
    all.close();
    assert_eq!(all.recv().await, None);
    assert_eq!(received.into_iter().collect::<HashSet<_>>(), sent.into_iter().collect());
}

async fn receive_is_cancel_safe(queue: Arc<dyn Queue>) {
    let mut subscription = queue.subscribe(&[ROLE], 100).await;
    let sent = messages(ROLE, 40);
    let publishing = tokio::spawn({
        let (queue, sent) = (queue.clone(), sent.clone());
        async move {
            for chunk in sent.chunks(4) {
                publish(&*queue, chunk).await;
            }
        }
    });
    let mut received = Vec::new();
    while received.len() < 40 {
        // Most of these are dropped while they wait.
        if let Ok(some) =
            tokio::time::timeout(Duration::from_micros(200), subscription.receive(3)).await
        {
            received.extend(some.unwrap());
        }
    }
    publishing.await.unwrap();
    assert_eq!(bodies(&received), sent);
}

async fn settles_any_mixture(queue: Arc<dyn Queue>) {
    let sent = messages(ROLE, 8);
    publish(&*queue, &sent).await;
    let mut subscription = queue.subscribe(&[ROLE], 8).await;
    let mut received = receive_all(&mut *subscription, 8).await;
    // Kept unsettled, in the middle of the others.
    let kept = received.remove(3);
    let mixture = received.into_iter().enumerate().map(|(index, delivery)| {
        let disposition = match index {
            0 | 1 | 5 => Disposition::Ack,
            2 | 6 => Disposition::Requeue,
            _ => Disposition::DeadLetter,
        };
        (delivery, disposition)
    });
    assert_eq!(subscription.settle(mixture.collect()).await, 7);

    let mut again = receive_all(&mut *subscription, 2).await;
    assert_eq!(
        bodies(&again).into_iter().collect::<HashSet<_>>(),
        HashSet::from([sent[2], sent[7]])
    );
    again.push(kept);
    settle_all(&mut *subscription, again, Disposition::Ack).await;
    receive_nothing(&mut *subscription).await;
}

async fn a_full_queue_refuses(queue: Arc<dyn Queue>) {
    // RabbitMQ notices with a delay that a queue is full, so it is filled until it says so.
    let filling = async {
        loop {
            match queue.publish(&[message(ROLE)]).await[0].clone() {
                Ok(()) => {}
                Err(error) => return error,
            }
        }
    };
    let refused = tokio::time::timeout(SOON, filling).await.expect("the queue is full some time");
    assert!(matches!(refused, PublishError::Full | PublishError::Refused), "{refused:?}");
    assert_eq!(queue.status(), QueueStatus::Up);

    let mut subscription = queue.subscribe(&[ROLE], 100).await;
    let emptied = receive_all(&mut *subscription, 50).await;
    settle_all(&mut *subscription, emptied, Disposition::Ack).await;
    let accepted = async { while queue.publish(&[message(ROLE)]).await[0].is_err() {} };
    tokio::time::timeout(SOON, accepted).await.expect("there is room again");
}

async fn depths_count(queue: Arc<dyn Queue>) {
    publish(&*queue, &messages(ROLE, 3)).await;
    publish(&*queue, &messages(Role::Tester, 2)).await;
    let expected = [
        (Role::Architect, 0),
        (Role::Implementer, 3),
        (Role::Reviewer, 0),
        (Role::Tester, 2),
        (Role::Maintainer, 0),
    ];
    // The broker counts a message a moment after it confirmed it.
    let counted = async { while queue.depths().await.unwrap() != expected {} };
    tokio::time::timeout(SOON, counted).await.expect("all that was published is counted");
}

async fn closed_is_closed(queue: Arc<dyn Queue>) {
    let mut subscription = queue.subscribe(&[ROLE], 10).await;
    publish(&*queue, &messages(ROLE, 3)).await;
    let unsettled = receive(&mut *subscription, 1).await;
    queue.close().await;

    assert!(tokio::time::timeout(SOON, subscription.receive(1)).await.expect("it ends").is_none());
    drop(unsettled);
    assert_eq!(queue.publish(&messages(ROLE, 2)).await, vec![Err(PublishError::Closed); 2]);
    assert!(queue.depths().await.is_err());
}
