//! Finding line ends, and splitting text at them.
//!
//! A line ends at CR, LF or CRLF (WHATWG HTML 9.2.5). U+0085, U+2028 and U+2029 end nothing.

/// As many bytes as two vector registers hold; without an early exit inside, the comparison is done on all at once.
const STRIDE: usize = 32;

/// Where the first CR or LF is.
pub(super) fn line_end(bytes: &[u8]) -> Option<usize> {
    let is_end = |byte: u8| (byte == b'\n') | (byte == b'\r');
    let (strides, rest) = bytes.as_chunks::<STRIDE>();
    let mut start = 0;
    for stride in strides {
        if stride.iter().fold(false, |found, &byte| found | is_end(byte)) {
            return stride.iter().position(|&byte| is_end(byte)).map(|at| start + at);
        }
        start += STRIDE;
    }
    rest.iter().position(|&byte| is_end(byte)).map(|at| start + at)
}

/// The lines of a text: always one more than it has line ends, so that trailing ends and emptiness survive.
#[derive(Debug, Clone)]
pub(super) struct Lines<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { rest: Some(text.as_bytes()) }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let Some(end) = line_end(rest) else {
            self.rest = None;
            return Some(rest);
        };
        let (line, after) = rest.split_at(end);
        self.rest = after.strip_prefix(b"\r\n").or_else(|| after.get(1..));
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_end_finds_the_first_at_every_place() {
        for len in 0..100 {
            assert_eq!(line_end(&vec![b'x'; len]), None);
            for at in 0..len {
                for end in *b"\r\n" {
                    let mut bytes = vec![b'x'; len];
                    bytes[at] = end;
                    bytes[len - 1] = b'\n';
                    assert_eq!(line_end(&bytes), Some(at), "length {len}");
                }
            }
        }
    }

    #[test]
    fn lines_keep_emptiness_and_trailing_ends() {
        let split =
            |text| Lines::of(text).map(|line| String::from_utf8_lossy(line).into_owned()).collect::<Vec<_>>();
        assert_eq!(split(""), [""]);
        assert_eq!(split("a"), ["a"]);
        assert_eq!(split("\n"), ["", ""]);
        assert_eq!(split("a\rb\nc\r\nd"), ["a", "b", "c", "d"]);
        assert_eq!(split("\n\r"), ["", "", ""]);
        assert_eq!(split("a\r\n"), ["a", ""]);
        assert_eq!(split("a\u{2028}b\u{85}c"), ["a\u{2028}b\u{85}c"]);
    }
}
