//! `single`: one task by one role. The agent answers, and the answer is the result.

use domain::{settlement::RunProgress, workflow::StepOutput};
use serde_json::Value;

use super::{
    Done,
    desk::{Answer, Desk},
    error::StepError,
};

pub(super) async fn run(desk: &mut Desk<'_>) -> Result<Done, StepError> {
    let mut context = desk.context();
    context.add_goal(&desk.task.run.goal, &desk.task.description);
    let answer: Answer<Value> = desk.ask(context).await?;
    Ok(Done { result: answer.result, output: StepOutput::Single, run: RunProgress::default() })
}
