//! The closed lists that arguments are taken from.

use clap::builder::PossibleValuesParser;
use domain::{
    access::Scope, delivery::DeliveryStatus, role::Role, run::RunStatus, schedule::CatchUp,
    task::TaskStatus, workflow::Workflow,
};

macro_rules! names {
    ($($function:ident: $list:ty;)*) => {$(
        pub(crate) fn $function() -> PossibleValuesParser {
            PossibleValuesParser::new(<$list>::ALL.iter().map(|it| it.name()))
        }
    )*};
}

names! {
    roles: Role;
    scopes: Scope;
    task_statuses: TaskStatus;
    run_statuses: RunStatus;
    workflows: Workflow;
    catch_up_policies: CatchUp;
    delivery_statuses: DeliveryStatus;
}
