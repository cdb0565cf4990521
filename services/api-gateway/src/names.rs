//! The closed lists of names in the API's description, each taken from the enum that it describes.

use std::borrow::Cow;

use domain::{
    access, delivery, history, role, run, schedule, settlement, task, transcript, trigger, workflow,
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, Type},
    },
};

macro_rules! names {
    ($($(#[$doc:meta])* $schema:ident: $names:path as $title:literal, $says:literal;)*) => {
        $(
            $(#[$doc])*
            #[doc = $says]
            pub(crate) enum $schema {}

            impl PartialSchema for $schema {
                fn schema() -> RefOr<Schema> {
                    let names = <$names>::ALL.iter().map(|it| it.name());
                    ObjectBuilder::new()
                        .schema_type(Type::String)
                        .description(Some($says))
                        .enum_values(Some(names))
                        .into()
                }
            }

            impl ToSchema for $schema {
                fn name() -> Cow<'static, str> {
                    Cow::Borrowed($title)
                }
            }
        )*

        /// Each list's title in the description, with its names.
        #[cfg(test)]
        pub(crate) fn all() -> Vec<(&'static str, Vec<&'static str>)> {
            vec![$(($title, <$names>::ALL.iter().map(|it| it.name()).collect())),*]
        }
    };
}

names! {
    RoleName: role::Role as "Role", "A member of the team.";
    TaskStatusName: task::TaskStatus as "TaskStatus", "Where a task is in its life.";
    TaskKindName: task::TaskKind as "TaskKind", "What a task does inside its workflow.";
    FailureCodeName: task::FailureCode as "FailureCode", "What kind of failure ended an attempt.";
    CancelReasonName: task::CancelReason as "CancelReason", "Who or what cancelled a task.";
    DeadLetterReasonName: settlement::DeadLetterReason as "DeadLetterReason", "Why a task became a dead letter.";
    RunStatusName: run::RunStatus as "RunStatus", "Where a run is in its life.";
    WorkflowName: workflow::Workflow as "Workflow", "The rules that a run follows.";
    HistoryKindName: history::EventKind as "HistoryKind", "What happened to a task or run.";
    EventKindName: trigger::EventKind as "EventKind", "The kinds of event that a CI job may send.";
    TurnKindName: transcript::TurnKind as "TurnKind", "What a turn is in a conversation with a model.";
    SpeakerName: transcript::Speaker as "Speaker", "Who said a turn.";
    CatchUpName: schedule::CatchUp as "CatchUp", "What to do about slots that passed while nobody looked.";
    DeliveryStatusName: delivery::DeliveryStatus as "DeliveryStatus", "What became of a webhook delivery.";
    ScopeName: access::Scope as "Scope", "What an API key allows; `admin` includes all.";
}
