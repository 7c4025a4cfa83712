//! Reading a chunked body, in pieces of any size.

/// Limits of the parts of a body that are not payload. The payload is not held, so whoever takes it limits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest line of a chunk's size and extensions, in bytes without its CRLF. Extensions are read and ignored.
    pub head_bytes: usize,
    /// Longest trailer section, in bytes with its line ends but without the CRLF that ends it. Trailers are read and
    /// ignored.
    pub trailer_bytes: usize,
}

impl Default for Limits {
    /// 256 bytes of head, 8 KiB of trailers.
    fn default() -> Self {
        Self { head_bytes: 256, trailer_bytes: 8 * 1024 }
    }
}

/// What a chunked body consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// Some payload, never empty: of one chunk, but not necessarily all of it.
    Data(&'a [u8]),
    /// The body is complete; what follows in the input belongs to whatever comes after it.
    End,
}

/// Why a body is not chunked as it should be. It cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChunk {
    /// The size has no digits, something else than hexadecimal digits, or is followed by something else than `;` or
    /// CRLF.
    #[error("a chunk begins with its size in hexadecimal digits")]
    Size,
    /// The size does not fit in 63 bits.
    #[error("a chunk's size does not fit in 63 bits")]
    SizeTooLarge,
    /// A control character in the extensions or trailers.
    #[error("control character in a chunk extension or trailer")]
    Control,
    /// CR without LF, LF without CR, or payload that is not followed by CRLF.
    #[error("CRLF expected")]
    LineEnd,
    /// Size and extensions exceed [`Limits::head_bytes`].
    #[error("the line of a chunk's size is too long")]
    HeadTooLong,
    /// The trailers exceed [`Limits::trailer_bytes`].
    #[error("the trailer section is too long")]
    TrailerTooLong,
}

/// An incremental decoder of one body. It holds no part of the body.
#[derive(Debug, Clone)]
pub struct Decoder {
    limits: Limits,
    state: State,
    /// Bytes of the current head, or of the trailers, read so far.
    line_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first digit of a size.
    Size,
    /// After some digits that make this number.
    Digits(u64),
    /// After the digits, before `;`: white space only.
    BeforeExtension(u64),
    Extension(u64),
    /// After the CR of a head.
    HeadLf(u64),
    /// In the payload, this many bytes of which are to come.
    Data(u64),
    DataCr,
    DataLf,
    /// At the start of a line of the trailer section.
    TrailerStart,
    TrailerLine,
    TrailerLf,
    /// After the CR of the empty line that ends the body.
    EndLf,
    /// The last LF was read and [`Part::End`] given out.
    Ended,
    Failed(InvalidChunk),
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Decoder {
    /// A decoder for a body from its first byte.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, state: State::Size, line_bytes: 0 }
    }

    /// Reads from the front of `input` up to the next part. `None`: all of `input` is read, bring more; or the body has
    /// ended, and nothing is read any more.
    ///
    /// # Errors
    /// [`InvalidChunk`] where the body breaks RFC 9112, 7.1 or exceeds a limit; from then on for every call.
    pub fn decode<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Part<'i>>, InvalidChunk> {
        loop {
            match self.state {
                State::Data(left) if !input.is_empty() => {
                    return Ok(Some(Part::Data(self.take_data(left, input))));
                }
                State::Failed(error) => return Err(error),
                State::Ended => return Ok(None),
                _ => {}
            }
            let Some((&byte, rest)) = input.split_first() else { return Ok(None) };
            *input = rest;
            match self.step(byte) {
                Ok(State::Ended) => {
                    self.state = State::Ended;
                    return Ok(Some(Part::End));
                }
                Ok(state) => self.state = state,
                Err(error) => {
                    self.state = State::Failed(error);
                    return Err(error);
                }
            }
        }
    }

    /// Whether the body has ended: a connection that closes before is one whose body was cut short.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    fn take_data<'i>(&mut self, left: u64, input: &mut &'i [u8]) -> &'i [u8] {
        let take = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let (data, rest) = input.split_at(take);
        *input = rest;
        let left = left - take as u64;
        self.state = if left == 0 { State::DataCr } else { State::Data(left) };
        data
    }

    /// The state after one byte of framing.
    fn step(&mut self, byte: u8) -> Result<State, InvalidChunk> {
        match (self.state, byte) {
            (State::Size, _) => {
                self.line_bytes = 0;
                self.digit(0, byte)
            }
            (State::Digits(size) | State::Extension(size), b'\r') => Ok(State::HeadLf(size)),
            (State::Digits(size), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.digit(size, byte),
            (State::Digits(size) | State::BeforeExtension(size), b' ' | b'\t') => {
                self.head_byte(State::BeforeExtension(size))
            }
            (State::Digits(size) | State::BeforeExtension(size), b';') => {
                self.head_byte(State::Extension(size))
            }
            (State::Digits(_) | State::BeforeExtension(_), _) => Err(InvalidChunk::Size),
            (State::Extension(size), _) => {
                check_text(byte)?;
                self.head_byte(State::Extension(size))
            }
            (State::HeadLf(0), b'\n') => {
                self.line_bytes = 0;
                Ok(State::TrailerStart)
            }
            (State::HeadLf(size), b'\n') => Ok(State::Data(size)),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size),
            (State::TrailerStart, b'\r') => Ok(State::EndLf),
            (State::TrailerStart | State::TrailerLine, _) => self.trailer_byte(byte),
            (State::TrailerLf, b'\n') => self.count_trailer(State::TrailerStart),
            (State::EndLf, b'\n') => Ok(State::Ended),
            _ => Err(InvalidChunk::LineEnd),
        }
    }

    fn digit(&mut self, size: u64, byte: u8) -> Result<State, InvalidChunk> {
        let digit = char::from(byte).to_digit(16).ok_or(InvalidChunk::Size)?;
        if size >> 59 != 0 {
            return Err(InvalidChunk::SizeTooLarge);
        }
        self.head_byte(State::Digits(size << 4 | u64::from(digit)))
    }

    fn head_byte(&mut self, next: State) -> Result<State, InvalidChunk> {
        self.line_bytes += 1;
        if self.line_bytes > self.limits.head_bytes { Err(InvalidChunk::HeadTooLong) } else { Ok(next) }
    }

    fn trailer_byte(&mut self, byte: u8) -> Result<State, InvalidChunk> {
        if byte == b'\r' {
            return self.count_trailer(State::TrailerLf);
        }
        check_text(byte)?;
        self.count_trailer(State::TrailerLine)
    }

    fn count_trailer(&mut self, next: State) -> Result<State, InvalidChunk> {
        self.line_bytes += 1;
        if self.line_bytes > self.limits.trailer_bytes { Err(InvalidChunk::TrailerTooLong) } else { Ok(next) }
    }
}

/// What extensions and trailers may consist of: everything but control characters, tab excepted.
fn check_text(byte: u8) -> Result<(), InvalidChunk> {
    match byte {
        b'\n' => Err(InvalidChunk::LineEnd),
        b'\t' | b' '..=b'~' | 0x80.. => Ok(()),
        _ => Err(InvalidChunk::Control),
    }
}
