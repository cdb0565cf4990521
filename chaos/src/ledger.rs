//! The outside world: a model server that keeps a book of every call, so that it is seen from outside what was executed,
//! when, and by whom.
//!
//! Each worker asks it below a path of its own. What it answers a task says in its description: see [`Order`].

mod http;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use anyhow::Result;
use tokio::{net::TcpListener, sync::mpsc};
use uuid::Uuid;

/// What a task's description tells the model server to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) task: Uuid,
    /// Calls that fail, from the first on.
    pub(crate) fail: u32,
    /// How long an answer takes.
    pub(crate) takes: Duration,
    /// It refuses for good.
    pub(crate) fatal: bool,
    /// Whoever asks dies of it.
    pub(crate) poison: bool,
}

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) task: Uuid,
    pub(crate) worker: String,
    pub(crate) at: SystemTime,
}

/// The book.
#[derive(Default)]
struct Book {
    calls: Vec<Call>,
    counts: HashMap<Uuid, u32>,
}

/// A running model server. It ends with the scenario.
pub(crate) struct Ledger {
    url: String,
    book: Mutex<Book>,
    poisoned: mpsc::UnboundedSender<String>,
}

impl Order {
    /// As it stands in a description.
    pub(crate) fn words(&self) -> String {
        let Self { task, fail, takes, fatal, poison } = self;
        format!(
            "chaos {task} {fail} {} {} {}.",
            takes.as_millis(),
            u8::from(*fatal),
            u8::from(*poison)
        )
    }

    /// Finds one in a request.
    fn find(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("chaos ")?;
        let (words, _) = rest.split_once('.')?;
        let mut words = words.split(' ');
        let task = words.next()?.parse().ok()?;
        let mut number = || words.next()?.parse::<u32>().ok();
        Some(Self {
            task,
            fail: number()?,
            takes: Duration::from_millis(number()?.into()),
            fatal: number()? == 1,
            poison: number()? == 1,
        })
    }
}

impl Ledger {
    /// Starts one. The names of workers that asked for something poisonous are sent to `poisoned`.
    pub(crate) async fn start(poisoned: mpsc::UnboundedSender<String>) -> Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let ledger = Arc::new(Self { url, book: Mutex::default(), poisoned });
        let weak = Arc::downgrade(&ledger);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Some(ledger) = weak.upgrade() else { return };
                tokio::spawn(http::serve(stream, ledger));
            }
        });
        Ok(ledger)
    }

    /// What a worker is told.
    pub(crate) fn settings(&self, worker: &str) -> Vec<(String, String)> {
        let all = [
            ("ORCH_AGENT_EXECUTOR", "local".to_owned()),
            ("LOCAL_LLM_API", "openai".to_owned()),
            ("LOCAL_LLM_URL", format!("{}/{worker}", self.url)),
            ("LOCAL_LLM_MODEL", "ledger".to_owned()),
            ("LOCAL_LLM_ERROR_MODE", "throw".to_owned()),
        ];
        all.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    /// Every call so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.book().calls.clone()
    }

    /// Writes a call down, and says what becomes of it: a status, after a time.
    fn called(&self, worker: &str, body: &str) -> (u16, Duration) {
        let Some(order) = Order::find(body) else { return (400, Duration::ZERO) };
        let mut book = self.book();
        let call = Call { task: order.task, worker: worker.to_owned(), at: SystemTime::now() };
        book.calls.push(call);
        let count = book.counts.entry(order.task).or_default();
        *count += 1;
        let fails = *count <= order.fail;
        drop(book);
        if order.poison {
            // Nobody listens where nothing is poisonous.
            let _unheard = self.poisoned.send(worker.to_owned());
            return (200, Duration::from_secs(60));
        }
        let status = if order.fatal {
            400
        } else if fails {
            500
        } else {
            200
        };
        (status, order.takes)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_found_in_a_request() {
        let order = Order {
            task: Uuid::from_u128(7),
            fail: 2,
            takes: Duration::from_millis(30),
            fatal: false,
            poison: true,
        };
        let request = format!("{{\"content\":\"⟦data⟧\\n{}\\n⟦end⟧\"}}", order.words());
        assert_eq!(Order::find(&request), Some(order));
        assert_eq!(Order::find("nothing of ours."), None);
    }
}
