//! The model server of `scripts/`.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use e2e::{
    api::{self, text},
    model_server::Wire,
    wait::until,
};
use serde_json::Value;
use tokio::process::{Child, Command};

/// To install and start it; the first start fetches engine and model.
const START: Duration = Duration::from_secs(180);

/// The model server of `scripts/`, with Ollama's format in front of it where that is wanted. It ends when this is dropped.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) model: String,
    _processes: Vec<Child>,
}

impl Server {
    /// None, loudly, where it cannot be had.
    pub(crate) async fn start(wire: Wire) -> Option<Self> {
        drop(rustls::crypto::ring::default_provider().install_default());
        if !has_python().await {
            eprintln!(
                "\n*** NO REAL MODEL WAS ASKED: python3 with venv is not here. Install python3-venv. ***\n"
            );
            return None;
        }
        let port = free_port();
        let mut server = script("model-server.sh", &[&port.to_string(), "--slots", "1"]);
        let upstream = format!("http://127.0.0.1:{port}");
        if !answers(&format!("{upstream}/v1/models"), &mut server).await {
            eprintln!(
                "\n*** NO REAL MODEL WAS ASKED: scripts/model-server.sh did not start, see above. ***\n"
            );
            return None;
        }
        let models: Value = api::client()
            .get(format!("{upstream}/v1/models"))
            .send()
            .await
            .ok()?
            .json()
            .await
            .ok()?;
        let model = text(&models["data"][0]["id"]);
        let (url, processes) = match wire {
            Wire::OpenAi => (upstream, vec![server]),
            Wire::Ollama => {
                let port = free_port();
                let mut ollama = script("ollama_wire.py", &[&port.to_string(), &upstream]);
                let url = format!("http://127.0.0.1:{port}");
                assert!(
                    answers(&format!("{url}/api/tags"), &mut ollama).await,
                    "ollama_wire.py starts"
                );
                (url, vec![ollama, server])
            }
        };
        Some(Self { url, model, _processes: processes })
    }
}

async fn has_python() -> bool {
    let asked = Command::new("python3")
        .args(["-c", "import venv, ensurepip"])
        .stderr(Stdio::null())
        .status()
        .await;
    asked.is_ok_and(|it| it.success())
}

fn script(name: &str, arguments: &[&str]) -> Child {
    let child = Command::new(scripts().join(name))
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    child.unwrap_or_else(|error| panic!("scripts/{name} cannot be started: {error}"))
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package is a folder of the project")
        .join("scripts")
}

/// Waits until an address answers. False if the process ends before it does.
async fn answers(url: &str, process: &mut Child) -> bool {
    let http = api::client();
    until(&format!("{url} answers"), START, || {
        let ended = matches!(process.try_wait(), Ok(Some(_)));
        let asking = http.get(url).send();
        async move {
            if ended {
                return Some(false);
            }
            asking.await.ok().filter(|it| it.status() == 200).map(|_| true)
        }
    })
    .await
}

/// Nobody else takes it before the server does, or the server says so and ends.
fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port can be had");
    socket.local_addr().expect("a bound socket has an address").port()
}
