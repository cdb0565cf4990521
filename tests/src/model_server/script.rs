//! What the server says.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
};

use serde_json::Value;

/// The form of answer that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    Plan,
    ChangeSet,
    Review,
    TestReport,
    Decision,
    /// An answer to a task of its own in structured-json mode.
    AgentResponse,
    /// Plain text: no schema.
    Text,
}

impl Form {
    /// The name under which a client sends its schema.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::ChangeSet => "change_set",
            Self::Review => "review",
            Self::TestReport => "test_report",
            Self::Decision => "decision",
            Self::AgentResponse => "agent_response",
            Self::Text => "text",
        }
    }

    /// The form of a schema, by the member that no other form has.
    pub(super) fn of(schema: &Value) -> Option<Self> {
        let has = |member: &str| schema["properties"].get(member).is_some();
        let forms = [
            ("subtasks", Self::Plan),
            ("changes", Self::ChangeSet),
            ("verdict", Self::Review),
            ("passed", Self::TestReport),
            ("decision", Self::Decision),
            ("deliverable", Self::AgentResponse),
        ];
        forms.into_iter().find(|(member, _)| has(member)).map(|(_, form)| form)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What becomes of one request.
#[derive(Clone, Debug)]
pub enum Step {
    /// This answer, which must fit the schema that was sent.
    Answer(Value),
    /// This text as it is: an answer that is no JSON, say.
    Say(String),
    /// The first half of this answer; then the connection breaks off.
    Cut(Value),
    /// Nothing, until the client goes away.
    Hang,
    /// An error with this status; `retry_after` is in seconds.
    Refuse { status: u16, retry_after: Option<u32> },
}

/// Steps for the requests of each form, in their order. Requests of different forms may come in any order.
#[derive(Clone, Debug, Default)]
pub struct Script(Vec<(Form, Step)>);

impl Script {
    pub fn new(steps: impl IntoIterator<Item = (Form, Step)>) -> Self {
        Self(steps.into_iter().collect())
    }

    pub(super) fn into_steps(self) -> HashMap<Form, VecDeque<Step>> {
        let mut steps: HashMap<Form, VecDeque<Step>> = HashMap::new();
        for (form, step) in self.0 {
            steps.entry(form).or_default().push_back(step);
        }
        steps
    }
}
