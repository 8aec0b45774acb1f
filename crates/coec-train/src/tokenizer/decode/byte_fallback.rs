//! Tokens that name a byte, `<0xE6>`.

use super::stage::{Assembly, Part, Stage};

/// The step `ByteFallback`: bytes in a row become their text if all of them are UTF-8, and otherwise
/// U+FFFD each. So none of a row can be given before it ends.
#[derive(Debug, Default)]
pub(super) struct ByteFallback {
    token: Assembly,
    row: Vec<u8>,
}

impl ByteFallback {
    fn release(&mut self, out: &mut Vec<Part>) {
        if self.row.is_empty() {
            return;
        }
        match String::from_utf8(std::mem::take(&mut self.row)) {
            Ok(text) => out.push(Part::whole(text)),
            Err(error) => out.extend(error.as_bytes().iter().map(|_| Part::whole('\u{FFFD}'))),
        }
    }
}

impl Stage for ByteFallback {
    fn push(&mut self, part: Part, out: &mut Vec<Part>) -> Result<(), String> {
        let Some(token) = self.token.token(part) else { return Ok(()) };
        match byte(&token) {
            Some(byte) => self.row.push(byte),
            None => {
                self.release(out);
                out.push(Part::whole(token));
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Part>) -> Result<(), String> {
        self.release(out);
        Ok(())
    }
}

fn byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() == 2 { u8::from_str_radix(digits, 16).ok() } else { None }
}
