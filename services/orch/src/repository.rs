//! A repository as a person types it.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// What the server is told: a path of this machine becomes that of the repository which it is in, all else stays.
///
/// As with git, a folder of that name outweighs `owner/name`.
///
/// # Errors
/// It looks like a path and there is no repository.
pub(crate) fn resolve(given: &str) -> Result<String, Failure> {
    if given.contains("://") {
        return Ok(given.to_owned());
    }
    let path = expand(given);
    if !given.starts_with(['/', '.', '~']) && !path.exists() {
        return Ok(given.to_owned());
    }
    let absolute = path
        .canonicalize()
        .map_err(|error| Failure::usage(format!("{given} cannot be used: {error}")))?;
    let Some(root) = absolute.ancestors().find(|it| is_repository(it)) else {
        return Err(Failure::usage(format!("{} is no git repository", absolute.display()))
            .advising("`git init` makes one; it needs a first commit."));
    };
    let Some(root) = root.to_str() else {
        return Err(Failure::usage(format!("the path {} is not valid UTF-8", root.display())));
    };
    Ok(root.to_owned())
}

/// `~` where the shell left it.
fn expand(given: &str) -> PathBuf {
    let below_home = given.strip_prefix("~/").or((given == "~").then_some(""));
    match (below_home, std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(given),
    }
}

/// A working tree, or a bare repository.
fn is_repository(path: &Path) -> bool {
    path.join(".git").exists() || (path.join("HEAD").is_file() && path.join("objects").is_dir())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_path_becomes_that_of_its_repository() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("tree/.git")).unwrap();
        fs::create_dir_all(root.join("tree/src/deep")).unwrap();
        fs::create_dir_all(root.join("bare.git/objects")).unwrap();
        fs::write(root.join("bare.git/HEAD"), "ref: refs/heads/main\n").unwrap();
        let check = |below: &str, expected: Option<&str>| {
            let given = root.join(below).to_str().unwrap().to_owned();
            let expected = expected.map(|it| root.join(it).to_str().unwrap().to_owned());
            assert_eq!(resolve(&given).ok(), expected, "{given}");
        };
        check("tree", Some("tree"));
        check("tree/src/deep", Some("tree"));
        check("tree/../bare.git", Some("bare.git"));
        check("", None);
        check("missing", None);
    }

    #[test]
    fn what_is_no_path_stays_as_it_is() {
        for given in ["owner/name", "https://example.org/a/b.git", "file:///srv/repo"] {
            assert_eq!(resolve(given).unwrap(), given);
        }
        assert!(resolve("./there/is/no/such/folder").is_err());
    }
}
