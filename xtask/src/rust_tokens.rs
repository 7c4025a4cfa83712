//! Rust source as words, strings and marks: just enough to look past comments, white space and tests.
//!
//! Not a parser: it never fails, and source that does not compile gives tokens that mean little.

/// What kind of token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name, keyword, number or lifetime.
    Word,
    /// A string literal; the text is what stands between the quotes, escapes as written.
    Text,
    /// A character literal, with its quotes.
    Char,
    /// One character of punctuation.
    Mark,
}

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    /// The line it begins on, from 1.
    pub(crate) line: usize,
}

impl Token {
    pub(crate) fn is_mark(&self, mark: &str) -> bool {
        self.kind == Kind::Mark && self.text == mark
    }

    /// +1 where a bracket opens, -1 where one closes.
    pub(crate) fn nesting(&self) -> i32 {
        match (self.kind, self.text.as_str()) {
            (Kind::Mark, "(" | "[" | "{") => 1,
            (Kind::Mark, ")" | "]" | "}") => -1,
            _ => 0,
        }
    }
}

/// The tokens of a source file, without comments and without what stands under `#[cfg(test)]`.
pub(crate) fn shipped_tokens(source: &str) -> Vec<Token> {
    without_tests(&tokens(source))
}

fn tokens(source: &str) -> Vec<Token> {
    let mut reader = Reader { chars: source.chars().collect(), at: 0, line: 1 };
    std::iter::from_fn(|| reader.next_token()).collect()
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    line: usize,
}

impl Reader {
    fn next_token(&mut self) -> Option<Token> {
        self.skip_blank();
        let first = self.peek(0)?;
        let line = self.line;
        let (kind, text) = if let Some((prefix, hashes)) = self.raw_string() {
            self.take(prefix);
            (Kind::Text, self.take_raw(hashes))
        } else if let Some(prefix) = self.quoted('"') {
            self.take(prefix);
            (Kind::Text, self.take_quoted('"'))
        } else if let Some(prefix) = self.quoted('\'').filter(|prefix| self.is_char_literal(*prefix)) {
            self.take(prefix);
            (Kind::Char, format!("'{}'", self.take_quoted('\'')))
        } else if is_word(first) || first == '\'' {
            let length = 1 + self.chars[self.at + 1..].iter().take_while(|c| is_word(**c)).count();
            (Kind::Word, self.take(length))
        } else {
            (Kind::Mark, self.take(1))
        };
        Some(Token { kind, text, line })
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn take(&mut self, count: usize) -> String {
        let end = (self.at + count).min(self.chars.len());
        let taken: String = self.chars[self.at..end].iter().collect();
        self.line += taken.matches('\n').count();
        self.at = end;
        taken
    }

    fn skip_blank(&mut self) {
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some(c), _) if c.is_whitespace() => drop(self.take(1)),
                (Some('/'), Some('/')) => {
                    let length = self.chars[self.at..].iter().take_while(|c| **c != '\n').count();
                    self.take(length);
                }
                (Some('/'), Some('*')) => self.skip_block_comment(),
                _ => return,
            }
        }
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0;
        while let Some(c) = self.peek(0) {
            match (c, self.peek(1)) {
                ('/', Some('*')) => depth += 1,
                ('*', Some('/')) => depth -= 1,
                _ => {
                    self.take(1);
                    continue;
                }
            }
            self.take(2);
            if depth == 0 {
                return;
            }
        }
    }

    /// Where a raw string begins: the length of what stands before its text, and how many `#` it has.
    fn raw_string(&self) -> Option<(usize, usize)> {
        let letters = match (self.peek(0)?, self.peek(1)?) {
            ('r', _) => 1,
            ('b' | 'c', 'r') => 2,
            _ => return None,
        };
        let hashes = self.chars[self.at + letters..].iter().take_while(|c| **c == '#').count();
        (self.peek(letters + hashes)? == '"').then_some((letters + hashes + 1, hashes))
    }

    fn take_raw(&mut self, hashes: usize) -> String {
        let end: String = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
        let rest: String = self.chars[self.at..].iter().collect();
        let text = rest.split(&end).next().unwrap_or_default().to_owned();
        self.take(text.chars().count() + end.len());
        text
    }

    /// The length of an opening quote with its prefix (`"`, `b"`, `c"`), if one begins here.
    fn quoted(&self, quote: char) -> Option<usize> {
        match (self.peek(0)?, self.peek(1)) {
            (c, _) if c == quote => Some(1),
            ('b' | 'c', Some(c)) if c == quote => Some(2),
            _ => None,
        }
    }

    /// `'a'` and `'\n'` are literals, `'a` is a lifetime.
    fn is_char_literal(&self, prefix: usize) -> bool {
        self.peek(prefix) == Some('\\') || self.peek(prefix + 1) == Some('\'')
    }

    fn take_quoted(&mut self, quote: char) -> String {
        let mut length = 0;
        while let Some(c) = self.peek(length) {
            match c {
                '\\' => length += 2,
                c if c == quote => break,
                _ => length += 1,
            }
        }
        let text = self.take(length);
        self.take(1);
        text
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn without_tests(tokens: &[Token]) -> Vec<Token> {
    const CFG_TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::with_capacity(tokens.len());
    let mut rest = tokens;
    while let Some(token) = rest.first() {
        let head = rest.iter().take(CFG_TEST.len()).map(|token| token.text.as_str());
        if head.eq(CFG_TEST) {
            rest = after_item(&rest[CFG_TEST.len()..]);
        } else {
            kept.push(token.clone());
            rest = &rest[1..];
        }
    }
    kept
}

/// What follows the item that begins here, its further attributes included.
fn after_item(tokens: &[Token]) -> &[Token] {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate() {
        depth += token.nesting();
        let ends = token.is_mark(";")
            || (token.is_mark("}") && !tokens.get(index + 1).is_some_and(|t| t.is_mark(";")));
        if depth == 0 && ends {
            return &tokens[index + 1..];
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<String> {
        shipped_tokens(source).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_and_white_space_are_skipped() {
        assert_eq!(texts("//! x\n/// y\nlet /* a /* b */ c */ a=1; // z"), ["let", "a", "=", "1", ";"]);
    }

    #[test]
    fn strings_are_one_token() {
        assert_eq!(
            texts(r##"f("a // \" b", r#"c " d"#, b"e", br"f")"##),
            ["f", "(", "a // \\\" b", ",", "c \" d", ",", "e", ",", "f", ")"]
        );
    }

    #[test]
    fn characters_and_lifetimes_are_told_apart() {
        assert_eq!(texts(r"'a' 'b '\'' b'\n' '{'"), ["'a'", "'b", r"'\''", r"'\n'", "'{'"]);
    }

    #[test]
    fn tests_are_left_out() {
        let source = "a; #[cfg(test)] use x::{y, z}; b; #[cfg(test)] #[allow(x)] mod tests { fn f() {} } c";
        assert_eq!(texts(source), ["a", ";", "b", ";", "c"]);
    }

    #[test]
    fn lines_are_counted_through_strings() {
        let lines: Vec<usize> = tokens("a\n\"b\nc\" /*\n*/ d").iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 2, 4]);
    }

    #[test]
    fn unfinished_source_ends() {
        for source in ["\"abc", "/* abc", "r#\"abc", "'", "'\\", "#[cfg(test)] mod"] {
            tokens(source);
            shipped_tokens(source);
        }
    }
}
