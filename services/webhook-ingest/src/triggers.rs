//! Which delivery starts what work. The only place that says so; `docs/webhooks.md` tells the same to operators.

mod draft;
mod machines;

use domain::{
    ids::RunId,
    trigger::{Source, Trigger, Work},
};
use github::{Envelope, Repository};
use url::Url;

use self::draft::Draft;
use crate::{first_run::first_run, text};

/// What becomes of a delivery.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Decision {
    Start {
        trigger: Box<Trigger>,
        /// The id that the run gets if it is the first for its issue, so that two deliveries that tell the same start one.
        first: Option<RunId>,
    },
    /// Recorded, and nothing follows, for this reason.
    Skip(String),
}

/// What an operator can set of the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Labels that ask for the whole team, in lower case.
    pub(crate) task_labels: Vec<String>,
    /// Hosts (`host` or `host:port`) whose clone URLs are used as they are; elsewhere `owner/name` is.
    pub(crate) clone_hosts: Vec<String>,
    /// Our own App, whose deeds start nothing.
    pub(crate) app_id: Option<i64>,
}

impl Rules {
    /// Decides what follows from a delivery. `id` is GitHub's id of it, `target` the App that it was sent to.
    pub(crate) fn decide(&self, id: &str, target: Option<i64>, envelope: &Envelope) -> Decision {
        match self.draft(target, envelope) {
            Ok((draft, repository)) => self.start(id, envelope, draft, repository),
            Err(reason) => Decision::Skip(reason),
        }
    }

    fn draft<'e>(
        &self,
        target: Option<i64>,
        envelope: &'e Envelope,
    ) -> Result<(Draft<'e>, &'e Repository), String> {
        let draft = self.of_subject(envelope)?;
        if let (Some(ours), Some(target)) = (self.app_id, target)
            && ours != target
        {
            return Err(format!("it was sent to App {target}, and we are App {ours}"));
        }
        if let Some(sender) = envelope.sender.as_ref().filter(|sender| sender.is_bot()) {
            let login = text::line(&sender.login);
            return Err(format!(
                "{login} is a bot: what bots do starts no work, so that two never keep each other busy"
            ));
        }
        let repository = envelope.repository.as_ref().ok_or("it names no repository")?;
        Ok((draft, repository))
    }

    fn start(
        &self,
        id: &str,
        envelope: &Envelope,
        draft: Draft<'_>,
        repository: &Repository,
    ) -> Decision {
        let first = match (draft.work, draft.number) {
            (Work::Grow, Some(number)) => Some(first_run(&repository.full_name, number)),
            (Work::Grow, None) | (Work::Single(_), _) => None,
        };
        let trigger = Trigger {
            source: Source::Webhook {
                delivery_id: id.to_owned(),
                event: text::line(&envelope.event),
                action: envelope.action.as_deref().map(text::line),
                number: draft.number,
            },
            repository: Some(self.whereabouts(repository)),
            base_ref: draft.base_ref.map(text::line),
            title: text::line(&draft.title),
            body: text::bounded(draft.body.unwrap_or_default()),
            url: draft.url.map(text::line),
            priority: draft.priority,
            work: draft.work,
        };
        Decision::Start { trigger: Box::new(trigger), first }
    }

    /// Where the repository is: its clone URL if its host is one that the operator named, else `owner/name`.
    fn whereabouts(&self, repository: &Repository) -> String {
        let named = repository.clone_url.as_deref().filter(|url| self.is_named_host(url));
        text::line(named.unwrap_or(&repository.full_name))
    }

    fn is_named_host(&self, clone_url: &str) -> bool {
        let Ok(url) = Url::parse(clone_url) else { return false };
        let Some(host) = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https")) else {
            return false;
        };
        let with_port = url.port().map(|port| format!("{host}:{port}"));
        self.clone_hosts.iter().any(|named| named == host || Some(named) == with_port.as_ref())
    }
}

#[cfg(test)]
mod tests;
