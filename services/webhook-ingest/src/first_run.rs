//! One run for one labelling, though GitHub tells of it twice.
//!
//! An issue that is opened with labels is told of as `opened` and, in the same moment, as `labeled` for each label. Both
//! ask for the same run and come in any order, to any replica. So the first run for an issue has an id that follows from
//! the issue, and the database lets one of them make it.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{ids::RunId, run::Run};
use ring::digest::{SHA256, digest};

/// Deliveries of one labelling are no further apart than this. Who labels an issue again later wants another run.
const SAME_LABELLING: TimeDelta = TimeDelta::seconds(60);

/// The id of the first run for an issue.
pub(crate) fn first_run(repository: &str, number: i64) -> RunId {
    // GitHub takes owner and name in any case.
    let issue = format!("issue {}#{number}", repository.to_lowercase());
    let hash = digest(&SHA256, issue.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    RunId::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// Whether a run that exists answers the same labelling as a delivery that comes now.
pub(crate) fn answers_same_labelling(run: &Run, now: DateTime<Utc>) -> bool {
    now - run.created_at < SAME_LABELLING
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_has_one_first_run_and_another_issue_another() {
        assert_eq!(first_run("Octo/Hello", 7), first_run("octo/hello", 7));
        assert_ne!(first_run("octo/hello", 7), first_run("octo/hello", 8));
        assert_ne!(first_run("octo/hello", 7), first_run("octo/hallo", 7));
        // A UUID of version 8 (RFC 9562): of our own making.
        assert_eq!(first_run("octo/hello", 7).as_uuid().get_version_num(), 8);
    }
}
