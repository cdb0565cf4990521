//! Git over HTTP, as GitHub serves it: tokens with rights, its answers to those who have none, and faults on demand.
//!
//! The git part is stock `git http-backend`. A server listens on a free port of the loopback address and is gone when it is
//! dropped, with its repositories.

mod backend;
mod faults;
mod repository;

use std::{
    collections::HashMap,
    net::TcpListener,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::JoinHandle,
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, http::header, web};
use anyhow::Context;
use data_encoding::BASE64;
use tempfile::TempDir;

pub use faults::Fault;

/// Largest push, in bytes.
const BODY_BYTES: usize = 64 * 1024 * 1024;

/// What the holder of a token may do with every repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    Read,
    ReadWrite,
}

/// One request, as it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Method, path and query: `GET /o/r.git/info/refs?service=git-upload-pack`.
    pub line: String,
    /// Whether it came with credentials, good or bad.
    pub credentials: bool,
    /// Whether these allowed what it asked for.
    pub authorised: bool,
    /// The status of the answer; none where a fault kept it from being given.
    pub status: Option<u16>,
}

/// A running server.
pub struct GitServer {
    shared: Arc<Shared>,
    root: TempDir,
    port: u16,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    root: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tokens: HashMap<String, Rights>,
    faults: faults::Plan,
    recorded: Vec<Recorded>,
}

impl GitServer {
    /// Starts a server that knows no repository and no token.
    ///
    /// # Errors
    /// If no directory or port can be had.
    pub fn start() -> anyhow::Result<Self> {
        let root = tempfile::tempdir().context("make a directory for repositories")?;
        let shared = Arc::new(Shared { root: root.path().to_owned(), state: Mutex::default() });
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("bind a port")?;
        let port = listener.local_addr().context("read the port")?.port();
        let (tell, told) = mpsc::channel();
        let data = web::Data::from(Arc::clone(&shared));
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    App::new().app_data(data.clone()).default_service(web::to(serve))
                })
                .workers(2)
                .disable_signals()
                .listen(listener)
                .expect("a bound socket can be listened on")
                .run();
                // The one who waits for this is `start`, which cannot be gone.
                let _told = tell.send(server.handle());
                let _ended = server.await;
            });
        });
        let handle = told.recv().context("start the server")?;
        Ok(Self { shared, root, port, handle, thread: Some(thread) })
    }

    /// `http://127.0.0.1:<port>`, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.authority())
    }

    /// `127.0.0.1:<port>`.
    pub fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Makes a repository `owner/name` with one commit on `main`, and gives its URL.
    ///
    /// # Errors
    /// If git fails, or the repository is there already.
    pub fn new_repository(&self, name: &str, files: &[(&str, &str)]) -> anyhow::Result<String> {
        repository::create(&self.bare_path(name), files)
            .with_context(|| format!("make the repository {name}"))?;
        Ok(format!("{}/{name}.git", self.url()))
    }

    /// Where the repository `owner/name` lies, to be looked at with git.
    pub fn bare_path(&self, name: &str) -> PathBuf {
        self.root.path().join(format!("{name}.git"))
    }

    /// Lets a token in. Without one every repository answers 401.
    pub fn grant(&self, token: &str, rights: Rights) {
        self.shared.state().tokens.insert(token.to_owned(), rights);
    }

    pub fn revoke(&self, token: &str) {
        self.shared.state().tokens.remove(token);
    }

    /// Lets the next `times` requests fail.
    pub fn fail_next(&self, times: usize, fault: Fault) {
        self.fail_next_to("", times, fault);
    }

    /// Lets the next `times` requests whose path ends in `path_end` fail, say `/git-receive-pack`.
    pub fn fail_next_to(&self, path_end: &str, times: usize, fault: Fault) {
        self.shared.state().faults.add(path_end, times, fault);
    }

    /// Every request so far, in the order of their answers.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.state().recorded.clone()
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        // The command is sent by the call itself; the thread's end is what is waited for.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The directory of a repository by the path of a request, which may leave out `.git`.
    fn find(&self, owner: &str, name: &str) -> Option<String> {
        let plain = |text: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !text.is_empty() && !text.starts_with('.') && text.bytes().all(allowed)
        };
        let inside = format!("{owner}/{}.git", name.strip_suffix(".git").unwrap_or(name));
        (plain(owner) && plain(name) && self.root.join(&inside).is_dir()).then_some(inside)
    }
}

async fn serve(
    request: HttpRequest,
    body: web::Payload,
    shared: web::Data<Shared>,
) -> HttpResponse {
    let fault = shared.state().faults.take(request.path());
    let credentials = request.headers().contains_key(header::AUTHORIZATION);
    let mut recorded = Recorded {
        line: format!("{} {}", request.method(), request.uri()),
        credentials,
        authorised: false,
        status: None,
    };
    let rights = token_of(&request).and_then(|token| shared.state().tokens.get(&token).copied());
    let verdict = judge(&request, &shared, rights);
    recorded.authorised = verdict.is_ok();
    if let Some(fault) = &fault
        && !matches!(fault, Fault::LoseAnswer)
    {
        shared.state().recorded.push(recorded);
        return fault.answer().await;
    }
    let response = match verdict {
        Ok(path) => backend::run(&shared.root, &path, &request, body, BODY_BYTES)
            .await
            .unwrap_or_else(|error| HttpResponse::InternalServerError().body(format!("{error:#}"))),
        Err(refused) => refused.answer(),
    };
    if fault.is_none() {
        recorded.status = Some(response.status().as_u16());
    }
    shared.state().recorded.push(recorded);
    match fault {
        Some(fault) => fault.answer().await,
        None => response,
    }
}

/// Why a request is not served, and what GitHub answers then.
enum Refused {
    Stranger,
    Missing,
    ReadOnly,
}

impl Refused {
    fn answer(&self) -> HttpResponse {
        match self {
            Self::Stranger => HttpResponse::Unauthorized()
                .insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"GitHub\""))
                .body("Invalid username or token.\n"),
            Self::Missing => HttpResponse::NotFound().body("Repository not found.\n"),
            Self::ReadOnly => {
                HttpResponse::Forbidden().body("Write access to repository not granted.\n")
            }
        }
    }
}

/// The path for git's backend, if the request may be served.
fn judge(
    request: &HttpRequest,
    shared: &Shared,
    rights: Option<Rights>,
) -> Result<String, Refused> {
    let Some(rights) = rights else {
        return Err(Refused::Stranger);
    };
    let path = request.path().trim_start_matches('/');
    let mut parts = path.splitn(3, '/');
    let found = match (parts.next(), parts.next(), parts.next()) {
        (
            Some(owner),
            Some(name),
            Some(rest @ ("info/refs" | "git-upload-pack" | "git-receive-pack")),
        ) => shared.find(owner, name).map(|repository| (repository, rest)),
        _ => None,
    };
    let Some((repository, rest)) = found else {
        return Err(Refused::Missing);
    };
    let writes = rest == "git-receive-pack" || request.query_string().contains("git-receive-pack");
    if writes && rights == Rights::Read {
        return Err(Refused::ReadOnly);
    }
    Ok(format!("/{repository}/{rest}"))
}

/// The token of a request: the password of any user (Basic), or `Bearer` or `token` followed by it.
fn token_of(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Some(rest.trim().to_owned());
    }
    let pair = String::from_utf8(BASE64.decode(rest.trim().as_bytes()).ok()?).ok()?;
    pair.split_once(':').map(|(_user, password)| password.to_owned())
}
