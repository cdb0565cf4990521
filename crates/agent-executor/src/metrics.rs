//! What this crate counts.

use domain::role::Role;
use metrics::{counter, describe_counter};

const ANSWERS: &str = "orchestrator_agent_answers_total";

/// Says what each metric means, those of the model client included. Call it once, after the recorder is installed.
pub fn describe() {
    llm::metrics::describe();
    describe_counter!(
        ANSWERS,
        "Answers of models, by role and by result: valid, repaired (a later answer), invalid (sent back)"
    );
}

/// Counts one answer.
pub(crate) fn answer(role: Role, result: &'static str) {
    counter!(ANSWERS, "role" => role.name(), "result" => result).increment(1);
}
