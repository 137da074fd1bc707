//! A cursor over one query-string value, and the error that says where it stopped.

/// Why a value did not parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParseError {
    /// One-based column at which parsing stopped.
    pub(crate) column: usize,
    /// What could have stood there.
    pub(crate) expected: &'static str,
    /// What stood there instead; absent at the end of the input.
    pub(crate) found: Option<char>,
}

/// Reads a value from left to right.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at the beginning.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The next character, not consumed.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// True when everything has been read.
    pub(super) fn finished(&self) -> bool {
        self.at == self.text.len()
    }

    /// Consumes the next character.
    pub(super) fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Consumes `token` when it is next.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        if self.rest().starts_with(token) {
            self.at += token.len();
            return true;
        }
        false
    }

    /// Consumes `token` or fails.
    pub(super) fn expect(&mut self, token: &str, expected: &'static str) -> Result<(), ParseError> {
        if self.eat(token) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// Skips blanks.
    pub(super) fn skip_blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.bump();
        }
    }

    /// The error for what stands here.
    pub(super) fn unexpected(&self, expected: &'static str) -> ParseError {
        ParseError { column: self.text[..self.at].chars().count() + 1, expected, found: self.peek() }
    }

    /// Fails unless everything has been read.
    pub(super) fn finish(&self, expected: &'static str) -> Result<(), ParseError> {
        if self.finished() { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// Consumes characters while `wanted` holds.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let start = self.at;
        while self.peek().is_some_and(&wanted) {
            self.bump();
        }
        &self.text[start..self.at]
    }

    /// Consumes everything that is left.
    pub(super) fn take_rest(&mut self) -> &'a str {
        let rest = self.rest();
        self.at = self.text.len();
        rest
    }

    /// A double-quoted text with backslash escapes; the cursor stands on the quote.
    pub(super) fn quoted(&mut self) -> Result<String, ParseError> {
        self.expect("\"", "a double quote")?;
        let mut value = String::new();
        loop {
            match self.bump() {
                Some('"') => return Ok(value),
                Some('\\') => value.push(self.bump().ok_or_else(|| self.unexpected("an escaped character"))?),
                Some(character) => value.push(character),
                None => return Err(self.unexpected("a closing double quote")),
            }
        }
    }

    /// A name: quoted, or a run of characters that mean nothing else in the grammar.
    pub(super) fn identifier(&mut self) -> Result<String, ParseError> {
        self.skip_blanks();
        let name = if self.peek() == Some('"') { self.quoted()? } else { self.unquoted(",:.()!*\"{}") };
        self.name(name)
    }

    /// The name of a member of a JSON object, in which fewer characters mean something else.
    pub(super) fn member(&mut self) -> Result<String, ParseError> {
        let name = self.unquoted("(:.,>)");
        self.name(name)
    }

    /// What comes before an arrow or any of these characters.
    fn unquoted(&mut self, ending: &str) -> String {
        let start = self.at;
        while let Some(next) = self.peek() {
            let arrow = next == '-' && self.rest().starts_with("->");
            if arrow || ending.contains(next) || next.is_control() {
                break;
            }
            self.bump();
        }
        self.text[start..self.at].trim().to_owned()
    }

    fn name(&mut self, name: String) -> Result<String, ParseError> {
        // No name of Postgres has a zero byte, and no statement may.
        if name.is_empty() || name.contains('\0') {
            return Err(self.unexpected("a name"));
        }
        self.skip_blanks();
        Ok(name)
    }
}
