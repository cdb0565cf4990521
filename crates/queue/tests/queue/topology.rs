//! Queues that are not there, or not as they should be, and what travels through them.

use domain::role::Role;
use lapin::{
    BasicProperties, Channel,
    options::{BasicPublishOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::FieldTable,
};
use queue::{Disposition, PublishError};

use crate::support::{
    SOON, and_delete_queues, bodies, channel, degraded_soon, message, next_dead_letter, publish,
    queue_of, rabbitmq, receive, settle_all, up_soon,
};

const ROLE: Role = Role::Tester;

#[tokio::test]
async fn a_queue_deleted_under_its_consumer_is_made_again_and_consumed() {
    let args = rabbitmq(&[]);
    and_delete_queues(&args, async {
        let queue = queue::connect(&args, "test").await.unwrap();
        let mut subscription = queue.subscribe(&[ROLE], 10).await;
        let first = message(ROLE);
        publish(&*queue, &[first]).await;
        assert_eq!(bodies(&receive(&mut *subscription, 1).await), [first]);

        let (_connection, other) = channel(&args).await;
        delete(&other, &queue_of(&args, ROLE)).await;

        let second = message(ROLE);
        // Until the queue is there again, publishing says that it is not.
        while queue.publish(&[second]).await[0].is_err() {}
        let received = receive(&mut *subscription, 10).await;
        assert!(bodies(&received).contains(&second));
        settle_all(&mut *subscription, received, Disposition::Ack).await;
        queue.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_message_for_which_there_is_no_queue_is_an_error_and_the_queue_is_made() {
    let args = rabbitmq(&[]);
    and_delete_queues(&args, async {
        let queue = queue::connect(&args, "test").await.unwrap();
        up_soon(&*queue).await;
        let (_connection, other) = channel(&args).await;
        delete(&other, &queue_of(&args, ROLE)).await;

        let batch =
            [message(Role::Architect), message(ROLE), message(Role::Reviewer), message(ROLE)];
        // For a moment after the deletion the broker still takes messages, or refuses them.
        let gone = async {
            loop {
                let outcomes = queue.publish(&batch).await;
                if outcomes.contains(&Err(PublishError::Unroutable)) {
                    return outcomes;
                }
            }
        };
        let outcomes = tokio::time::timeout(SOON, gone).await.expect("the queue is gone soon");
        assert_eq!(
            outcomes,
            [Ok(()), Err(PublishError::Unroutable), Ok(()), Err(PublishError::Unroutable)]
        );
        // The connection that could not route is given up; the next publishing waits for the new one.
        while queue.publish(&batch[1..2]).await[0].is_err() {}
        queue.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_queue_with_other_arguments_degrades_until_it_is_gone() {
    let args = rabbitmq(&[]);
    and_delete_queues(&args, async {
        let (_connection, other) = channel(&args).await;
        let name = queue_of(&args, ROLE);
        let durable = QueueDeclareOptions { durable: true, ..Default::default() };
        other.queue_declare(name.as_str().into(), durable, FieldTable::default()).await.unwrap();

        let queue = queue::connect(&args, "test").await.unwrap();
        degraded_soon(&*queue, "PRECONDITION_FAILED").await;
        assert_eq!(queue.publish(&[message(ROLE)]).await, [Err(PublishError::NotConnected)]);

        delete(&other, &name).await;
        up_soon(&*queue).await;
        publish(&*queue, &[message(ROLE)]).await;
        queue.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_body_that_is_no_message_is_reported_and_becomes_a_dead_letter() {
    let args = rabbitmq(&[]);
    and_delete_queues(&args, async {
        let queue = queue::connect(&args, "test").await.unwrap();
        let mut subscription = queue.subscribe(&[ROLE], 10).await;
        up_soon(&*queue).await;
        let (_connection, other) = channel(&args).await;
        let huge = vec![b' '; 5000];
        let bodies: [(&[u8], &str); 3] = [
            (b"{\"taskId\":7}", "a body of 12 bytes is not a message"),
            (b"", "a body of 0 bytes is not a message"),
            (&huge, "a body of 5000 bytes is too large for a message"),
        ];
        for (body, expected) in bodies {
            let options = BasicPublishOptions::default();
            let name = queue_of(&args, ROLE);
            other
                .basic_publish(
                    "".into(),
                    name.as_str().into(),
                    options,
                    body,
                    BasicProperties::default(),
                )
                .await
                .unwrap();
            let received = receive(&mut *subscription, 1).await;
            assert_eq!(received[0].body.as_ref().unwrap_err().to_string(), expected);
            settle_all(&mut *subscription, received, Disposition::DeadLetter).await;
            assert_eq!(next_dead_letter(&other, &args).await, body);
        }
        queue.close().await;
    })
    .await;
}

async fn delete(channel: &Channel, queue: &str) {
    channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
}
