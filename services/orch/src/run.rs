//! `orch run`: starts a run, or a single task in a run of its own, and follows it.

use clap::{Args, value_parser};
use serde_json::{Value, json};

use crate::{
    client::{Client, ServerArgs},
    failure::{Exit, Failure, Outcome},
    follow::{self, FollowArgs},
    names,
    output::Output,
    repository,
    view::text,
};

/// `orch run "Add a greeting" --repo .` has the whole team work on a repository; without --repo one role does one task.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// What is to be done.
    #[arg(value_name = "GOAL")]
    goal: String,

    /// Repository to work on: owner/name, a URL, or a path of this machine.
    #[arg(long, visible_alias = "repository", value_name = "REPOSITORY")]
    repo: Option<String>,

    /// The rules that the run follows [default: grow with --repo and without --role, else single].
    #[arg(long, value_parser = names::workflows())]
    workflow: Option<String>,

    /// The role that does a single task [default: architect].
    #[arg(long, value_parser = names::roles())]
    role: Option<String>,

    /// Branch, tag or commit to begin from [default: the repository's default branch].
    #[arg(long, value_name = "REF")]
    base: Option<String>,

    /// 0 first, 9 last [default: 5].
    #[arg(long, value_parser = value_parser!(u8).range(0..=9))]
    priority: Option<u8>,

    /// Tokens that the run may use, in and out together [default: no bound].
    #[arg(long, value_name = "TOKENS")]
    max_tokens: Option<u64>,

    /// Minutes that it may take from its first attempt on [default: no bound].
    #[arg(long, value_name = "MINUTES")]
    max_minutes: Option<u64>,

    /// Implement and review rounds [default: 3, which is also the most].
    #[arg(long, value_name = "ROUNDS")]
    max_rounds: Option<u32>,

    /// Only start it.
    #[arg(long, conflicts_with = "cancel_on_interrupt")]
    no_follow: bool,

    #[command(flatten)]
    follow: FollowArgs,
    #[command(flatten)]
    server: ServerArgs,
}

/// What the API is asked for.
#[derive(Debug, PartialEq)]
enum Order {
    Run(Value),
    Task(Value),
}

pub(crate) async fn command(args: RunArgs, output: &Output) -> Outcome {
    let order = order(&args)?;
    let client = Client::new(&args.server)?;
    let (answer, id) = match &order {
        Order::Run(body) => (client.post(&["runs"], Some(body)).await?, "/id"),
        Order::Task(body) => (client.post(&["tasks"], Some(body)).await?, "/runId"),
    };
    let run = text(&answer, id);
    if output.is_json() {
        let what = if matches!(order, Order::Run(_)) { "run" } else { "task" };
        output.line(json!({ "type": "started", "runId": run, what: answer }))?;
    }
    if !args.no_follow {
        output.note_for_people(format_args!("Run {run} started."));
        return follow::to_its_end(&client, output, &run, args.follow).await;
    }
    if !output.is_json() {
        output.line(&run)?;
        output.note(format_args!(
            "Follow it with `orch runs follow {run}`, end it with `orch runs cancel {run}`."
        ));
    }
    Ok(Exit::Completed)
}

fn order(args: &RunArgs) -> Result<Order, Failure> {
    let grows = args.repo.is_some() && args.role.is_none();
    let workflow = args.workflow.as_deref().unwrap_or(if grows { "grow" } else { "single" });
    let repository = args.repo.as_deref().map(repository::resolve).transpose()?;
    if workflow == "single" {
        return single(args, repository);
    }
    if repository.is_none() {
        return Err(Failure::usage(format!("the workflow {workflow} works on a repository"))
            .advising("Name it with --repo; `--repo .` is the one that you are in."));
    }
    if args.role.is_some() {
        return Err(Failure::usage(format!("the workflow {workflow} chooses its roles itself"))
            .advising("Leave out --role, or use `--workflow single`."));
    }
    let budget = body([
        ("maxTokens", args.max_tokens.map(Value::from)),
        ("maxMinutes", args.max_minutes.map(Value::from)),
        ("maxRounds", args.max_rounds.map(Value::from)),
    ]);
    Ok(Order::Run(body([
        ("goal", Some(args.goal.clone().into())),
        ("workflow", Some(workflow.into())),
        ("repository", repository.map(Value::from)),
        ("baseRef", args.base.clone().map(Value::from)),
        ("priority", args.priority.map(Value::from)),
        ("budget", (budget != json!({})).then_some(budget)),
    ])))
}

fn single(args: &RunArgs, repository: Option<String>) -> Result<Order, Failure> {
    let meaningless = [
        ("--base", args.base.is_some()),
        ("--max-tokens", args.max_tokens.is_some()),
        ("--max-minutes", args.max_minutes.is_some()),
        ("--max-rounds", args.max_rounds.is_some()),
    ];
    if let Some((name, _)) = meaningless.iter().find(|(_, given)| *given) {
        return Err(Failure::usage(format!("{name} says nothing to a single task"))
            .advising("It belongs to `--workflow grow`, which works on a --repo."));
    }
    Ok(Order::Task(body([
        ("description", Some(args.goal.clone().into())),
        ("role", Some(args.role.as_deref().unwrap_or("architect").into())),
        ("repository", repository.map(Value::from)),
        ("priority", args.priority.map(Value::from)),
    ])))
}

/// An object of what is given.
pub(crate) fn body<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        run: RunArgs,
    }

    fn order_of(arguments: &[&str]) -> Result<Order, String> {
        let arguments = [&["orch"], arguments].concat();
        order(&Program::parse_from(arguments).run).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_goal_alone_is_one_task_and_one_with_a_repository_is_for_the_team() {
        let task = |role: &str| Ok(Order::Task(json!({ "description": "g", "role": role })));
        assert_eq!(order_of(&["g"]), task("architect"));
        assert_eq!(order_of(&["g", "--role", "tester"]), task("tester"));
        assert_eq!(order_of(&["g", "--workflow", "single"]), task("architect"));
        let run = json!({ "goal": "g", "workflow": "grow", "repository": "o/r" });
        assert_eq!(order_of(&["g", "--repo", "o/r"]), Ok(Order::Run(run)));
        let run = json!({
            "goal": "g", "workflow": "grow", "repository": "o/r", "baseRef": "main", "priority": 2,
            "budget": { "maxTokens": 9, "maxRounds": 1 },
        });
        let arguments = [
            "g",
            "--repo",
            "o/r",
            "--base",
            "main",
            "--priority",
            "2",
            "--max-tokens",
            "9",
            "--max-rounds",
            "1",
        ];
        assert_eq!(order_of(&arguments), Ok(Order::Run(run)));
        let task = json!({ "description": "g", "role": "reviewer", "repository": "o/r" });
        assert_eq!(order_of(&["g", "--repo", "o/r", "--role", "reviewer"]), Ok(Order::Task(task)));
    }

    #[test]
    fn what_does_not_go_together_is_refused_before_anything_is_asked() {
        for arguments in [
            &["g", "--workflow", "grow"][..],
            &["g", "--workflow", "grow", "--repo", "o/r", "--role", "tester"],
            &["g", "--base", "main"],
            &["g", "--max-tokens", "1"],
            &["g", "--repo", "./there/is/none"],
        ] {
            assert!(order_of(arguments).is_err(), "{arguments:?}");
        }
    }
}
