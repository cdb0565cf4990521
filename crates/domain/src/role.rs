//! Roles: who in the team does a task.

use crate::named_enum;

named_enum! {
    /// A member of the team. Each has its own queue, prompt, model and rights.
    pub enum Role ("role") {
        /// Reads the repository and plans.
        Architect = "architect",
        /// Changes files.
        Implementer = "implementer",
        /// Judges a change and asks for another, or approves.
        Reviewer = "reviewer",
        /// Runs checks and reports what they say.
        Tester = "tester",
        /// Decides what becomes of a run's result.
        Maintainer = "maintainer",
    }
}
