//! Cuts a stream of bytes into payloads, wherever the network happened to split it.

/// How payloads are set apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// One JSON value a line.
    Lines,
    /// Server-sent events: `data:` lines up to a blank one.
    Events,
    /// The body as a whole is one payload.
    Whole,
}

/// Bytes that came, and are not yet a payload. Bounded by whoever counts the bytes that are pushed.
#[derive(Debug)]
pub(crate) struct Frames {
    framing: Framing,
    buffer: Vec<u8>,
    /// Where the search for the end of a line goes on, so that a long line is looked at once.
    searched: usize,
    /// The `data:` lines of the event that is being read.
    event: Option<Vec<u8>>,
}

impl Frames {
    pub(crate) fn new(framing: Framing) -> Self {
        Self { framing, buffer: Vec::new(), searched: 0, event: None }
    }

    /// Adds bytes; returns the payloads that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.buffer.extend_from_slice(bytes);
        let mut payloads = Vec::new();
        if self.framing == Framing::Whole {
            return payloads;
        }
        let mut start = 0;
        while let Some(length) = self.buffer[self.searched..].iter().position(|it| *it == b'\n') {
            let end = self.searched + length;
            let line = self.buffer[start..end].to_vec();
            start = end + 1;
            self.searched = start;
            payloads.extend(self.line(&line));
        }
        self.buffer.drain(..start);
        self.searched = self.buffer.len();
        payloads
    }

    /// What is left when the stream ends: a last line or event without its end.
    pub(crate) fn finish(mut self) -> Vec<Vec<u8>> {
        let rest = std::mem::take(&mut self.buffer);
        match self.framing {
            Framing::Whole => {
                Some(rest).filter(|it| !it.trim_ascii().is_empty()).into_iter().collect()
            }
            Framing::Lines => self.line(&rest).into_iter().collect(),
            Framing::Events => {
                let first = self.line(&rest);
                first.into_iter().chain(self.event.take()).collect()
            }
        }
    }

    fn line(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if self.framing == Framing::Lines {
            return Some(line.trim_ascii().to_vec()).filter(|it| !it.is_empty());
        }
        if line.is_empty() {
            return self.event.take();
        }
        // Comments and fields other than `data` say nothing that we need.
        let data =
            line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line).strip_prefix(b"data")?;
        let data = match data.strip_prefix(b":") {
            Some(value) => value.strip_prefix(b" ").unwrap_or(value),
            None if data.is_empty() => data,
            None => return None,
        };
        match &mut self.event {
            Some(event) => {
                event.push(b'\n');
                event.extend_from_slice(data);
            }
            None => self.event = Some(data.to_vec()),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_do_not_depend_on_where_the_network_splits_them() {
        check(
            Framing::Lines,
            "{\"é\":1}\n\r\n  {\"b\":2}\r\n{\"c\"",
            &["{\"é\":1}", "{\"b\":2}", "{\"c\""],
        );
        check(Framing::Events, "data: {\"é\"}\n\ndata:[DONE]\n\n", &["{\"é\"}", "[DONE]"]);
        check(
            Framing::Events,
            "\u{feff}: hello\r\nevent: x\r\ndata: a\r\ndata: b\r\nid: 1\r\n\r\n",
            &["a\nb"],
        );
        check(Framing::Events, "data: a\n\ndatabase: no\ndata: b", &["a", "b"]);
        check(Framing::Events, "\n\n: only a comment\n\n", &[]);
        check(Framing::Whole, "{\n\n}", &["{\n\n}"]);
        check(Framing::Whole, " \n", &[]);
    }

    #[track_caller]
    fn check(framing: Framing, stream: &str, expected: &[&str]) {
        for size in 1..=stream.len() {
            let mut frames = Frames::new(framing);
            let mut seen: Vec<_> =
                stream.as_bytes().chunks(size).flat_map(|chunk| frames.push(chunk)).collect();
            seen.extend(frames.finish());
            let seen: Vec<_> = seen.into_iter().map(|it| String::from_utf8(it).unwrap()).collect();
            assert_eq!(seen, expected, "in chunks of {size}");
        }
    }
}
