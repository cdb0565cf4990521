//! Starts the runs of schedules that are due, and sees to the default schedule.

use store::schedules::ScheduleWritten;

use crate::{Parts, metrics, reconcile::Round};

/// Schedules of one round, at most: it is one transaction, in which each may catch up
/// [`CATCH_UP_RUNS`](domain::limits::CATCH_UP_RUNS) slots.
const SCHEDULES: u32 = 10;

/// One batch of schedules with a slot that has come.
pub(crate) async fn round(parts: &Parts) -> anyhow::Result<Round> {
    let limit = parts.settings.batch.min(SCHEDULES);
    let firings = parts.store.fire_due_schedules(limit).await?;
    metrics::fired(firings.fired.len(), &firings.announce);
    parts.announcer.announce(firings.announce);
    let found = firings.fired.len() + firings.broken.len();
    for it in firings.fired {
        tracing::info!(schedule.id = %it.schedule_id, run.id = %it.run_id, "Schedule {} fired for {}", it.name, it.slot);
    }
    for (id, reason) in firings.broken {
        metrics::firing_failed();
        tracing::error!(schedule.id = %id, "Schedule {id} was switched off, for nobody can say when it is due: {reason}");
    }
    Ok(Round::of(found, limit))
}

/// Writes the schedule of the settings, once; it stays as it is where the settings name none.
pub(crate) async fn ensure_default(parts: &Parts) -> anyhow::Result<Round> {
    let Some(schedule) = parts.settings.default_schedule.clone() else { return Ok(Round::Over) };
    match parts.store.ensure_schedule(schedule).await? {
        ScheduleWritten::Done(schedule) => {
            tracing::info!(schedule.id = %schedule.id, "The schedule {} is as the settings say", schedule.name);
            Ok(Round::Over)
        }
        // Another replica wrote it in the same moment: look again.
        ScheduleWritten::NameTaken | ScheduleWritten::Missing => Ok(Round::Full),
    }
}
