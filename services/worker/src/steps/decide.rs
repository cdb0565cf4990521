//! `decide`: the maintainer says what becomes of the result.

use agent_executor::Origin;
use domain::{
    outputs::Decision,
    settlement::RunProgress,
    workflow::{StepOutput, grow::DecideInput},
};

use super::{
    Done,
    context::review_text,
    desk::{Answer, Desk},
    diff,
    error::StepError,
};

/// How much of a diff is read to sum it up.
const DIFF_BYTES: usize = 4 * 1024 * 1024;

pub(super) async fn run(desk: &mut Desk<'_>) -> Result<Done, StepError> {
    let input: DecideInput = desk.input()?;
    let checkout = desk.open().await?;
    let mut context = desk.context();
    context.add_goal(&desk.task.run.goal, &desk.task.description);
    context.add_plan(&input.plan);
    let text =
        checkout.diff(checkout.base_commit(), &input.change.commit.parse()?, DIFF_BYTES).await?;
    let lines = diff::summary(&diff::changed_files(&text));
    let change = format!("{}\n\nLines added and removed:\n{lines}", input.change.summary);
    context.add(Origin::Diff, "the change", &change);
    context.add(
        Origin::Feedback,
        format!("review of round {}", input.rounds),
        &review_text(&input.review),
    );

    let Answer { typed, result }: Answer<Decision> = desk.ask(context).await?;
    Ok(Done { result, output: StepOutput::Decide(typed), run: RunProgress::default() })
}
