//! `review`: the reviewer judges the diff of the run so far.

use agent_executor::Origin;
use domain::{
    outputs::Review,
    settlement::RunProgress,
    workflow::{StepOutput, grow::ReviewInput},
};

use super::{
    Done,
    desk::{Answer, Desk},
    error::StepError,
};

pub(super) async fn run(desk: &mut Desk<'_>) -> Result<Done, StepError> {
    let input: ReviewInput = desk.input()?;
    let checkout = desk.open().await?;
    let mut context = desk.context();
    context.add_goal(&desk.task.run.goal, &desk.task.description);
    context.add_plan(&input.plan);
    // Of the very commit that the task is about, whatever the branch holds by now.
    let diff = checkout
        .diff(checkout.base_commit(), &input.change.commit.parse()?, context.left())
        .await?;
    let change = format!("{}\n\n{diff}", input.change.summary);
    context.add(Origin::Diff, format!("the change of round {}", input.round), &change);

    let Answer { typed, result }: Answer<Review> = desk.ask(context).await?;
    Ok(Done { result, output: StepOutput::Review(typed), run: RunProgress::default() })
}
