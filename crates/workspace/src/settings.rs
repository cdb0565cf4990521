//! How git is kept from running or following anything that it is not told to.
//!
//! Configuration given by `GIT_CONFIG_COUNT` has the scope of the command line, which outweighs a repository's own file.

use std::{ffi::OsString, path::Path};

/// Configuration of every git command.
pub(crate) const CONFIG: &[(&str, &str)] = &[
    // Programs that git would run.
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.alternateRefsCommand", "true"),
    ("credential.helper", ""),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("commit.gpgSign", "false"),
    ("push.gpgSign", "false"),
    ("filter.lfs.required", "false"),
    // Places that it would go to.
    ("protocol.allow", "never"),
    ("http.followRedirects", "false"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("transfer.credentialsInUrl", "die"),
    ("transfer.bundleURI", "false"),
    ("safe.bareRepository", "explicit"),
    ("safe.directory", "*"),
    // What it may take in.
    ("fetch.fsckObjects", "true"),
    ("core.protectHFS", "true"),
    ("core.protectNTFS", "true"),
    ("core.symlinks", "false"),
    ("core.autocrlf", "false"),
    ("core.attributesFile", "/dev/null"),
    ("core.excludesFile", "/dev/null"),
    // Flaws of old histories that harm nobody and that no one can mend any more.
    ("fetch.fsck.zeroPaddedFilemode", "ignore"),
    ("fetch.fsck.badTimezone", "ignore"),
    ("fetch.fsck.missingSpaceBeforeDate", "ignore"),
    // So that the same change makes the same commit everywhere.
    ("i18n.commitEncoding", "UTF-8"),
];

/// Environment of every git command; nothing is inherited.
pub(crate) fn environment(search_path: &OsString, home: &Path) -> Vec<(&'static str, OsString)> {
    let mut variables: Vec<(&'static str, OsString)> = [
        ("LC_ALL", "C"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_ATTR_NOSYSTEM", "1"),
        // The empty tree: attributes of a repository (say, one that hides a file from diffs) do not count.
        ("GIT_ATTR_SOURCE", "4b825dc642cb6eb9a060e54bf8d69288fbee4904"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_ASKPASS", ""),
        ("GIT_PAGER", "cat"),
        ("GIT_OPTIONAL_LOCKS", "0"),
        ("GIT_LITERAL_PATHSPECS", "1"),
        ("GIT_NO_REPLACE_OBJECTS", "1"),
        ("GIT_NO_LAZY_FETCH", "1"),
        ("GIT_PROTOCOL_FROM_USER", "0"),
        // No transport, unless a call names one.
        ("GIT_ALLOW_PROTOCOL", ""),
    ]
    .into_iter()
    .map(|(name, value)| (name, value.into()))
    .collect();
    variables.push(("PATH", search_path.clone()));
    variables.push(("HOME", home.into()));
    variables
}
