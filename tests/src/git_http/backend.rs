//! Stock `git http-backend`, called as a CGI program (RFC 3875).

use std::{path::Path, process::Stdio};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use anyhow::{Context, ensure};
use futures_util::StreamExt;
use tokio::{io::AsyncWriteExt, process::Command};

/// Lets git answer a request. `path` is that of the request below `root`, with the repository's real name.
pub(super) async fn run(
    root: &Path,
    path: &str,
    request: &HttpRequest,
    mut body: web::Payload,
    max_bytes: usize,
) -> anyhow::Result<HttpResponse> {
    let mut input = Vec::new();
    while let Some(chunk) = body.next().await {
        input.extend_from_slice(&chunk.map_err(|error| anyhow::anyhow!("read the body: {error}"))?);
        ensure!(input.len() <= max_bytes, "the body is larger than {max_bytes} bytes");
    }
    let mut child =
        command(root, path, request, input.len()).spawn().context("start git http-backend")?;
    let mut stdin = child.stdin.take().context("stdin is piped")?;
    let feed = async move {
        // The backend may have heard enough; its answer says what it made of it.
        let _closed_early = stdin.write_all(&input).await;
    };
    let ((), output) = tokio::join!(feed, child.wait_with_output());
    respond(&output.context("run git http-backend")?.stdout)
}

fn command(root: &Path, path: &str, request: &HttpRequest, length: usize) -> Command {
    let header = |name: &str| {
        request.headers().get(name).and_then(|it| it.to_str().ok()).unwrap_or_default()
    };
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .env("REQUEST_METHOD", request.method().as_str())
        .env("PATH_INFO", path)
        .env("QUERY_STRING", request.query_string())
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", length.to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .env("REMOTE_USER", "token")
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Turns what a CGI program printed (headers, an empty line, the body) into a response.
fn respond(printed: &[u8]) -> anyhow::Result<HttpResponse> {
    let end = printed
        .windows(4)
        .position(|it| it == b"\r\n\r\n")
        .context("git http-backend printed no headers")?;
    let head =
        std::str::from_utf8(&printed[..end]).context("read the headers of git http-backend")?;
    let mut response = HttpResponse::build(StatusCode::OK);
    for (name, value) in head.split("\r\n").filter_map(|line| line.split_once(": ")) {
        if name.eq_ignore_ascii_case("status") {
            let code =
                value.split(' ').next().unwrap_or_default().parse().context("read the status")?;
            response.status(StatusCode::from_u16(code)?);
        } else {
            response.insert_header((name, value));
        }
    }
    Ok(response.body(printed[end + 4..].to_vec()))
}
