//! Whether an API key was given where others can read it.

use std::ffi::OsString;

use crate::failure::Failure;

/// Every user of a machine can read the arguments of its programs.
pub(crate) fn refuse_key_argument(arguments: &[OsString]) -> Result<(), Failure> {
    let is_key = |it: &&OsString| it.to_string_lossy().split('=').next() == Some("--api-key");
    match arguments.iter().take_while(|it| *it != "--").find(is_key) {
        None => Ok(()),
        Some(_) => Err(Failure::usage(
            "an API key is not taken from the command line, which every user can read",
        )
        .advising("Set ORCH_API_KEY, or name a file that holds the key with --key-file.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_on_the_command_line_is_refused_however_it_is_written() {
        let check = |arguments: &[&str], allowed| {
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            assert_eq!(refuse_key_argument(&arguments).is_ok(), allowed, "{arguments:?}");
        };
        check(&["orch", "agents", "--api-key", "orch_x"], false);
        check(&["orch", "--api-key=orch_x", "agents"], false);
        check(&["orch", "agents", "--key-file", "x"], true);
        check(&["orch", "run", "--", "--api-key"], true);
    }
}
