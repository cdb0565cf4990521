//! What a unified diff says of each file, without its lines.

/// How a file changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ChangedFile {
    pub(super) path: String,
    /// Lines that are new.
    pub(super) added: usize,
    /// Lines that are gone.
    pub(super) removed: usize,
    pub(super) binary: bool,
}

/// The files of a diff as git writes it without renames. A diff that was cut tells of the files before the cut.
pub(super) fn changed_files(diff: &str) -> Vec<ChangedFile> {
    let mut files: Vec<ChangedFile> = Vec::new();
    let mut in_hunk = false;
    for line in diff.lines() {
        // A line of a hunk begins with a space, `+`, `-` or `\`, so that no content is taken for a header.
        if let Some(names) = line.strip_prefix("diff --git ") {
            files.push(ChangedFile { path: path_of(names), ..ChangedFile::default() });
            in_hunk = false;
        }
        let Some(file) = files.last_mut() else { continue };
        match line.as_bytes().first() {
            Some(b'@') => in_hunk = true,
            Some(b'+') if in_hunk => file.added += 1,
            Some(b'-') if in_hunk => file.removed += 1,
            Some(b'B') if !in_hunk && line.starts_with("Binary files ") => file.binary = true,
            Some(_) | None => {}
        }
    }
    files
}

/// One line for each file.
pub(super) fn summary(files: &[ChangedFile]) -> String {
    let line = |file: &ChangedFile| match file {
        ChangedFile { path, binary: true, .. } => format!("{path}: binary\n"),
        ChangedFile { path, added, removed, .. } => format!("{path}: +{added} -{removed}\n"),
    };
    files.iter().map(line).collect()
}

/// The path of `a/PATH b/PATH`. Git quotes names with unusual characters; they stay as it writes them.
fn path_of(names: &str) -> String {
    let half = names.len().saturating_sub(1) / 2;
    let second = names.get(half + 1..).unwrap_or(names);
    match second.strip_prefix('"') {
        Some(quoted) => {
            quoted.strip_prefix("b/").unwrap_or(quoted).trim_end_matches('"').to_owned()
        }
        None => second.strip_prefix("b/").unwrap_or(second).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_is_counted_file_by_file() {
        let diff = "diff --git a/src/a b.rs b/src/a b.rs\nindex 1..2 100644\n--- a/src/a b.rs\n+++ b/src/a b.rs\n\
                    @@ -1,2 +1,2 @@\n context\n-old\n+new\n+--- not a header\n\\ No newline at end of file\n\
                    diff --git a/logo.png b/logo.png\nnew file mode 100644\nBinary files /dev/null and b/logo.png differ\n\
                    diff --git \"a/na\\303\\257ve\" \"b/na\\303\\257ve\"\ndeleted file mode 100644\n--- \"a/na\"\n\
                    +++ /dev/null\n@@ -1 +0,0 @@\n-gone\n[the diff is longer and was cut here]\n";
        assert_eq!(
            summary(&changed_files(diff)),
            "src/a b.rs: +2 -1\nlogo.png: binary\nna\\303\\257ve: +0 -1\n"
        );
        assert_eq!(changed_files(""), []);
    }
}
