//! The queue: whether the broker answers. Nothing is published.

use std::time::{Duration, Instant};

use queue::{Error, QueueArgs, QueueKind, QueueStatus};

use super::Finding;

const NAME: &str = "queue";
/// How often it is asked whether it is connected by now.
const PERIOD: Duration = Duration::from_millis(100);

pub(super) async fn check(args: &QueueArgs, patience: Duration) -> Finding {
    const ADVICE: &str = "Start RabbitMQ, and check AMQP_URL.";
    if args.task_queue == QueueKind::InProcess {
        return Finding::ok(
            NAME,
            "in the process itself; services of their own need TASK_QUEUE=rabbitmq",
        );
    }
    let queue = match queue::connect(args, "orch doctor").await {
        Ok(queue) => queue,
        Err(error) => return Finding::broken(NAME, error.to_string(), "Set AMQP_URL."),
    };
    let until = Instant::now() + patience;
    let depths = loop {
        match queue.depths().await {
            Ok(depths) => break Ok(depths),
            Err(error) if Instant::now() >= until => break Err(error),
            Err(_not_yet) => tokio::time::sleep(PERIOD).await,
        }
    };
    let status = queue.status();
    queue.close().await;
    match depths {
        Ok(depths) => {
            let waiting: u64 = depths.iter().map(|it| it.1).sum();
            Finding::ok(NAME, format!("RabbitMQ answers; {waiting} messages wait"))
        }
        Err(error) => Finding::broken(
            NAME,
            format!("RabbitMQ does not answer: {}", reason(status, &error)),
            ADVICE,
        ),
    }
}

fn reason(status: QueueStatus, error: &Error) -> String {
    match status {
        QueueStatus::Degraded { reason, .. } => reason,
        QueueStatus::Up => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::doctor::Status;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        queue: QueueArgs,
    }

    #[tokio::test]
    async fn a_broker_that_is_not_there_is_told_without_its_password() {
        let url = "amqp://me:hunter2@127.0.0.1:1/%2f";
        let args =
            Program::parse_from(["program", "--task-queue", "rabbitmq", "--amqp-url", url]).queue;
        let finding = check(&args, Duration::from_millis(200)).await;
        assert_eq!(finding.status, Status::Broken);
        assert!(!format!("{finding:?}").contains("hunter2"), "{finding:?}");
    }

    #[tokio::test]
    async fn a_queue_in_the_process_is_always_there() {
        let args = Program::parse_from(["program"]).queue;
        assert_eq!(check(&args, Duration::ZERO).await.status, Status::Ok);
    }
}
