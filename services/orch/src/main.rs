//! The `orch` program.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    orch::run(std::env::args_os().collect()).await.into()
}
