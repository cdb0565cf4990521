//! Processes that end and are started again, as Kubernetes does it.

use std::process::{ExitStatus, Output};

use rustix::process::Signal;

use super::{Stack, service};

impl Stack {
    /// Starts a service again if it has ended, on what it left, and tells how it ended. It is not waited for: whoever needs
    /// it asks until it answers. Its port is the same only if the settings name one.
    pub fn revive(&mut self, name: &str) -> Option<ExitStatus> {
        let service = self.services.get_mut(name).unwrap_or_else(|| panic!("there is no {name}"));
        let status = service.end()?;
        *service = service.again(&self.settings, self.dir.path());
        Some(status)
    }

    /// Sends a signal to a service; what comes of it is not waited for.
    pub fn signal(&self, name: &str, signal: Signal) {
        self.service(name).signal(signal);
    }

    /// Runs the command line against this installation, with variables beside those of the stack.
    pub async fn orch(&self, arguments: &[&str], own: &[(&str, &str)]) -> Output {
        let mut command = service::command("orch", &self.settings, None, self.dir.path());
        let output = command.args(arguments).envs(own.iter().copied()).output().await;
        output.expect("orch can be started")
    }

    /// Where the tables are.
    pub fn database_url(&self) -> &str {
        self.database.url()
    }
}
