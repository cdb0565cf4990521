//! One pass over JSON before it is parsed, for what a parser lets through and we must not.

/// What JSON must not have here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanFault {
    #[error("it is nested deeper than {limit} levels, at byte {at}")]
    TooDeep { limit: usize, at: usize },
    /// Postgres can store it in neither TEXT nor JSONB.
    #[error("a string holds the NUL character, at byte {at}")]
    Nul { at: usize },
}

/// Looks for nesting deeper than `limit` and for `\u0000`. Says nothing about whether `json` is valid.
///
/// # Errors
/// The first fault.
pub fn scan(json: &[u8], limit: usize) -> Result<(), ScanFault> {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        match byte {
            b'\\' if in_string => {
                if json[at..].starts_with(b"\\u0000") {
                    return Err(ScanFault::Nul { at });
                }
                // The escaped character cannot end the string.
                at += 1;
            }
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > limit {
                    return Err(ScanFault::TooDeep { limit, at });
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_arrays_and_objects_outside_strings() {
        let check = |json: &str, expected| assert_eq!(scan(json.as_bytes(), 2), expected, "{json}");
        check("", Ok(()));
        check("[{}]", Ok(()));
        check("[[],[],{}]", Ok(()));
        check("[{\"a\":[]}]", Err(ScanFault::TooDeep { limit: 2, at: 6 }));
        check(r#"["[[[[", "\"[[[["]"#, Ok(()));
        check(r#"["\\", [["#, Err(ScanFault::TooDeep { limit: 2, at: 8 }));
        check(r#"["\u0000"]"#, Err(ScanFault::Nul { at: 2 }));
        check(r#"["\\u0000"]"#, Ok(()));
        check("]]]][[", Ok(()));
        check("\"\\", Ok(()));
    }
}
