//! A model server that plays a script, in the wire format of OpenAI-compatible servers and in Ollama's, and checks what it is
//! sent.
//!
//! - A [`Script`] says what becomes of each request, by the [`Form`] of the answer that it asks for.
//! - Every request is [`Asked`]: recorded with what was said and how it ended.
//! - What no good client sends is a violation: a test ends with [`ModelServer::assert_content`].

mod inspect;
mod record;
mod request;
mod say;
mod script;

use std::{
    net::TcpListener,
    sync::{Arc, Mutex, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::{StatusCode, header},
    web,
};
use anyhow::Context;
use tokio::sync::watch;

pub use inspect::Expected;
pub use record::{Asked, Outcome};
pub use request::{Said, Wire};
pub use script::{Form, Script, Step};

use record::{Answering, Shared, State, UnderWay};
use request::Request;
use say::Tokens;

/// How long a test waits for a request that must come.
const SOON: Duration = Duration::from_secs(30);

/// A running server on a free port of the loopback address. Ends when it is dropped.
pub struct ModelServer {
    shared: Arc<Shared>,
    port: u16,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl ModelServer {
    /// Starts a server.
    ///
    /// # Errors
    /// If no port can be had.
    pub fn start(expected: Expected, script: Script) -> anyhow::Result<Self> {
        Self::serve(expected, script, None)
    }

    /// Starts a server that answers any number of requests, each by its form and by what was said.
    ///
    /// # Errors
    /// If no port can be had.
    pub fn answering(
        expected: Expected,
        answer: impl Fn(Form, &[Said]) -> Step + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        Self::serve(expected, Script::default(), Some(Box::new(answer)))
    }

    fn serve(
        expected: Expected,
        script: Script,
        otherwise: Option<Answering>,
    ) -> anyhow::Result<Self> {
        let state = State { steps: script.into_steps(), ..State::default() };
        let shared = Arc::new(Shared {
            expected,
            otherwise,
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("bind a port")?;
        let port = listener.local_addr().context("read the port")?.port();
        let (tell, told) = mpsc::channel();
        let data = web::Data::from(Arc::clone(&shared));
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server =
                    HttpServer::new(move || App::new().app_data(data.clone()).configure(routes))
                        .workers(1)
                        .disable_signals()
                        // So that a client who goes away ends its request.
                        .h1_allow_half_closed(false)
                        .listen(listener)
                        .expect("a bound socket can be listened on")
                        .run();
                // The one who waits for this is `start`, which cannot be gone.
                let _told = tell.send(server.handle());
                let _ended = server.await;
            });
        });
        let handle = told.recv().context("start the server")?;
        Ok(Self { shared, port, handle, thread: Some(thread) })
    }

    /// `http://127.0.0.1:<port>`, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Adds to the end of the script.
    pub fn add(&self, script: Script) {
        let mut state = self.shared.state();
        for (form, steps) in script.into_steps() {
            state.steps.entry(form).or_default().extend(steps);
        }
    }

    /// Every request so far, in the order in which they came.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.state().asked.clone()
    }

    /// Waits until the requests are as wanted, and gives them. Panics with `what` if they never are.
    pub async fn until(&self, what: &str, wanted: impl Fn(&[Asked]) -> bool) -> Vec<Asked> {
        let mut changes = self.shared.changed.subscribe();
        let waiting = async {
            loop {
                let asked = self.asked();
                if wanted(&asked) {
                    return asked;
                }
                changes.changed().await.expect("the server lives as long as its test");
            }
        };
        let Ok(asked) = tokio::time::timeout(SOON, waiting).await else {
            panic!("waited {SOON:?} in vain: {what}; the model server was asked {:?}", self.told())
        };
        asked
    }

    /// Every request in a word or two, in order: `plan: answered`.
    pub fn told(&self) -> Vec<String> {
        let outcome = |outcome| match outcome {
            Outcome::Pending => "pending".to_owned(),
            Outcome::Answered => "answered".to_owned(),
            Outcome::Refused(status) => format!("refused with {status}"),
            Outcome::Cut => "cut".to_owned(),
            Outcome::Abandoned => "abandoned".to_owned(),
        };
        let line = |it: &Asked| format!("{}: {}", it.form, outcome(it.outcome));
        self.shared.state().asked.iter().map(line).collect()
    }

    /// Tokens read and written in whole answers.
    pub fn tokens(&self) -> (u64, u64) {
        let state = self.shared.state();
        let answered = state.asked.iter().filter(|it| it.outcome == Outcome::Answered);
        answered.fold((0, 0), |(read, wrote), it| (read + it.tokens.0, wrote + it.tokens.1))
    }

    /// Panics with everything that was sent and should not have been, and with what the script has left over.
    #[track_caller]
    pub fn assert_content(&self) {
        let state = self.shared.state();
        let left = state.steps.iter().filter(|(_, steps)| !steps.is_empty());
        let left: Vec<_> = left.map(|(form, steps)| format!("{} of {form}", steps.len())).collect();
        let violations = state.violations.join("\n  ");
        assert!(
            violations.is_empty() && left.is_empty(),
            "the model server is not content; left of its script: {left:?}; violations:\n  {violations}"
        );
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        // The command is sent by the call itself; the thread's end is what is waited for.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .app_data(web::PayloadConfig::new(16 * 1024 * 1024))
        .route("/v1/models", web::get().to(openai_models))
        .route("/v1/chat/completions", web::post().to(chat))
        .route("/api/tags", web::get().to(ollama_models))
        .route("/api/show", web::post().to(ollama_show))
        .route("/api/chat", web::post().to(chat))
        .default_service(web::to(stray));
}

async fn openai_models(shared: web::Data<Shared>) -> HttpResponse {
    HttpResponse::Ok().json(say::openai_models(&shared.expected.model))
}

async fn ollama_models(shared: web::Data<Shared>) -> HttpResponse {
    HttpResponse::Ok().json(say::ollama_models(&shared.expected.model))
}

async fn ollama_show() -> HttpResponse {
    HttpResponse::Ok().json(say::ollama_show())
}

async fn stray(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    shared.violation(format!(
        "{} {} is no endpoint of a model server",
        request.method(),
        request.path()
    ));
    HttpResponse::NotFound().finish()
}

async fn chat(http: HttpRequest, body: web::Bytes, shared: web::Data<Shared>) -> HttpResponse {
    let shared = shared.into_inner();
    let wire = if http.path() == "/api/chat" { Wire::Ollama } else { Wire::OpenAi };
    let request = match Request::read(wire, &body) {
        Ok(request) => request,
        Err(wrong) => {
            shared.violation(wrong.clone());
            return say::refusal(wire, StatusCode::BAD_REQUEST, &wrong).finish_with(None);
        }
    };
    let authorization = http.headers().get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
    let (index, step) = shared.begin(&request, authorization);
    let mut under_way = UnderWay { shared, index, ended: false };
    match step {
        Some(Step::Answer(answer)) => say::whole(&request, &answer.to_string(), under_way),
        Some(Step::Say(text)) => say::whole(&request, &text, under_way),
        Some(Step::Cut(answer)) => say::half(&request, &answer.to_string(), under_way),
        Some(Step::Hang) => std::future::pending().await,
        Some(Step::Refuse { status, retry_after }) => {
            under_way.end(Outcome::Refused(status), Tokens::default());
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            say::refusal(wire, status, "the script refuses").finish_with(retry_after)
        }
        None => {
            under_way.end(Outcome::Refused(400), Tokens::default());
            say::refusal(wire, StatusCode::BAD_REQUEST, "the script has nothing for it")
                .finish_with(None)
        }
    }
}

#[cfg(test)]
mod tests;
