//! `plan`: the architect reads the repository and splits the goal into subtasks.

use domain::{outputs::Plan, settlement::RunProgress, workflow::StepOutput};

use super::{
    Done,
    desk::{Answer, Desk},
    error::StepError,
    files,
};

pub(super) async fn run(desk: &mut Desk<'_>) -> Result<Done, StepError> {
    let checkout = desk.open().await?;
    let mut context = desk.context();
    context.add_goal(&desk.task.run.goal, &desk.task.description);
    files::add_list(&mut context, &checkout);
    files::add_contents(&mut context, &checkout, files::telling(&checkout)).await?;

    let Answer { typed, result }: Answer<Plan> = desk.ask(context).await?;
    // What was planned on is what the work begins from, however far the repository moves on meanwhile.
    let base_commit = Some(checkout.base_commit().to_string());
    let run = RunProgress { base_commit, ..RunProgress::default() };
    Ok(Done { result, output: StepOutput::Plan(typed), run })
}
