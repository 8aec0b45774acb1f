//! UTF-16 as UTF-8.

use std::io::{self, BufRead, Read};

/// Units decoded at once.
const UNITS: usize = 1 << 15;

/// A stream of UTF-16, read as UTF-8.
pub(super) struct Utf16<R> {
    reader: R,
    unit: fn([u8; 2]) -> u16,
    /// A unit that the next one belongs to.
    high: Option<u16>,
    decoded: String,
    given: usize,
}

impl<R: BufRead> Utf16<R> {
    /// A stream behind its byte order mark, which said how two bytes make a `unit`.
    pub fn new(reader: R, unit: fn([u8; 2]) -> u16) -> Self {
        Self { reader, unit, high: None, decoded: String::new(), given: 0 }
    }

    /// Decodes what comes next; nothing at the end of the stream.
    fn decode(&mut self) -> io::Result<()> {
        let invalid = |reason: &str| Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        let mut bytes = Vec::new();
        (&mut self.reader).take(2 * UNITS as u64).read_to_end(&mut bytes)?;
        (self.decoded, self.given) = (String::new(), 0);
        let (units, rest) = bytes.as_chunks::<2>();
        if !rest.is_empty() {
            return invalid("UTF-16 of an odd number of bytes");
        }
        let is_last = bytes.is_empty();
        let mut units: Vec<u16> =
            self.high.take().into_iter().chain(units.iter().map(|&two| (self.unit)(two))).collect();
        if !is_last {
            self.high = units.pop_if(|unit| (0xD800..0xDC00).contains(unit));
        }
        match String::from_utf16(&units) {
            Ok(text) => self.decoded = text,
            Err(_) => return invalid("UTF-16 with half a surrogate pair"),
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Utf16<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        // A lone high surrogate decodes to nothing yet.
        while self.given == self.decoded.len() {
            self.decode()?;
            if self.decoded.is_empty() && self.high.is_none() {
                return Ok(0);
            }
        }
        let mut left = &self.decoded.as_bytes()[self.given..];
        let read = left.read(out)?;
        self.given += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        Utf16::new(bytes, u16::from_le_bytes).read_to_string(&mut text)?;
        Ok(text)
    }

    fn encoded(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn text_of_any_length_is_read() {
        for text in ["", "a", "å∑🎼", &"🎼a".repeat(3 * UNITS)] {
            assert!(read(&encoded(text)).unwrap() == text);
        }
    }

    #[test]
    fn half_a_character_is_an_error() {
        for bytes in [&encoded("ab")[..3], &encoded("🎼")[..2], &encoded("🎼")[2..]] {
            assert_eq!(read(bytes).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
