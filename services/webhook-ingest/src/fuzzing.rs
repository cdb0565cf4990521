//! What fuzz targets reach of this crate beside its HTTP edge.

use domain::trigger::Trigger;
use github::Envelope;

use crate::triggers::{Decision, Rules};

/// What becomes of a delivery by the usual rules: what it starts, or why nothing follows.
///
/// # Errors
/// The reason.
pub fn decide(id: &str, target: Option<i64>, envelope: &Envelope) -> Result<Trigger, String> {
    let rules = Rules {
        task_labels: vec!["ai-task".to_owned()],
        clone_hosts: vec!["git.example:8443".to_owned()],
        app_id: Some(7),
    };
    match rules.decide(id, target, envelope) {
        Decision::Start { trigger, first: _ } => Ok(*trigger),
        Decision::Skip(reason) => Err(reason),
    }
}
