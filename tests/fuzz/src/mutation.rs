//! Inputs made of seeds: the same ones from the same number.

/// Bytes of an input, at most.
const LONGEST: usize = 4_096;
/// Changes to one input, at most.
const CHANGES: usize = 6;

/// Pieces that parsers care for.
const PIECES: &[&str] = &[
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
    "\\u0000",
    "\\ud800",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "-0",
    "1e308",
    "1.7976931348623157e308",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "0.1",
    "{\"a\":",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "sha256=",
    "sha1=",
    "\n",
    "*/0",
    "60",
    "L",
    "#6",
    "?",
    "MON-SUN",
    "Etc/GMT+12",
    "payload=",
    "%00",
    "%7B",
    "&",
    "=",
    "[bot]",
    "ai-task",
    "Bot",
    "0197f1de-0000-7000-8000-000000000001",
];

/// xorshift64*: small, and good enough to choose bytes by.
pub struct Mutator {
    state: u64,
}

impl Mutator {
    pub fn new(seed: u64) -> Self {
        // Zero would stay zero.
        Self { state: seed ^ 0x9e37_79b9_7f4a_7c15 | 1 }
    }

    /// Another input made from `seeds`, which are not empty.
    pub fn next(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(CHANGES) {
            self.change(&mut input, seeds);
        }
        input.truncate(LONGEST);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        match self.below(8) {
            0 => input.truncate(at),
            1 => input.insert(at, self.byte()),
            2 if at < input.len() => input[at] = self.byte(),
            3 if at < input.len() => input[at] ^= 1 << self.below(8),
            4 if at < input.len() => drop(input.drain(at..self.end(input, at))),
            5 if at < input.len() => {
                let again = input[at..self.end(input, at)].to_vec();
                input.splice(at..at, again);
            }
            6 => {
                let other = &seeds[self.below(seeds.len())];
                let from = self.below(other.len() + 1);
                let piece = other[from..self.end(other, from)].to_vec();
                input.splice(at..at, piece);
            }
            _ => {
                let piece = PIECES[self.below(PIECES.len())].bytes();
                let end = if self.below(2) == 0 { at } else { self.end(input, at) };
                input.splice(at..end, piece);
            }
        }
    }

    /// The end of a piece of `bytes` that begins at `at`: mostly a short one.
    fn end(&mut self, bytes: &[u8], at: usize) -> usize {
        let longest = if self.below(4) == 0 { 256 } else { 12 };
        (at + 1 + self.below(longest)).min(bytes.len()).max(at)
    }

    fn byte(&mut self) -> u8 {
        self.draw().to_le_bytes()[3]
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.draw() % end.max(1) as u64).unwrap_or_default()
    }

    fn draw(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_gives_the_same_inputs() {
        let seeds = [b"{\"a\": 1}".to_vec(), Vec::new()];
        let made = |seed| {
            let mut mutator = Mutator::new(seed);
            (0..100).map(|_| mutator.next(&seeds)).collect::<Vec<_>>()
        };
        assert_eq!(made(7), made(7));
        assert_ne!(made(7), made(8));
    }
}
