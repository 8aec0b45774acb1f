//! Files as streams of text, whatever they are packed in.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::rows::PARQUET;
use super::utf16::Utf16;
use crate::data::DataError;

/// Bytes read from a file at once.
const BUFFER: usize = 1 << 20;

/// What a file is packed in, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// The text of a file as a stream: unpacked, in UTF-8, without a byte order mark.
pub(crate) fn open(path: &Path) -> Result<Box<dyn BufRead + Send>, DataError> {
    let unreadable = |source| DataError::Unreadable { path: path.to_owned(), source };
    let kind = fs::metadata(path).map_err(unreadable)?;
    if kind.is_dir() {
        return Err(DataError::NotAFile { path: path.to_owned() });
    }
    let mut file = BufReader::with_capacity(BUFFER, File::open(path).map_err(unreadable)?);
    let packing = packing(&first(&mut file, 4).map_err(unreadable)?);
    let mut text: Box<dyn BufRead + Send> = match packing {
        Packing::Plain => Box::new(file),
        Packing::Gzip => buffered(flate2::bufread::MultiGzDecoder::new(file)),
        Packing::Zstd => buffered(zstd::Decoder::with_buffer(file).map_err(unreadable)?),
    };
    let start = first(&mut text, 4).map_err(unreadable)?;
    Ok(match start.as_slice() {
        PARQUET => return Err(DataError::NotText { path: path.to_owned(), found: "a Parquet file" }),
        [0xEF, 0xBB, 0xBF, ..] => skipped(text, 3),
        [0xFF, 0xFE, ..] => buffered(Utf16::new(skipped(text, 2), u16::from_le_bytes)),
        [0xFE, 0xFF, ..] => buffered(Utf16::new(skipped(text, 2), u16::from_be_bytes)),
        _ => text,
    })
}

/// The stream without its first bytes, which are in its buffer.
fn skipped(mut text: Box<dyn BufRead + Send>, bytes: usize) -> Box<dyn BufRead + Send> {
    text.consume(bytes);
    text
}

fn packing(start: &[u8]) -> Packing {
    match start {
        [0x1F, 0x8B, ..] => Packing::Gzip,
        [0x28, 0xB5, 0x2F, 0xFD] => Packing::Zstd,
        _ => Packing::Plain,
    }
}

fn buffered(reader: impl Read + Send + 'static) -> Box<dyn BufRead + Send> {
    Box::new(BufReader::with_capacity(BUFFER, reader))
}

/// Up to `count` bytes at the start of a stream, which stay in it. A reader may give fewer than there
/// are only where its buffer is filled anew, which at the start it is not.
fn first(reader: &mut (impl BufRead + ?Sized), count: usize) -> io::Result<Vec<u8>> {
    let buffer = reader.fill_buf()?;
    Ok(buffer[..buffer.len().min(count)].to_vec())
}

/// A file line by line, numbered from 1, without line ends.
pub(crate) struct Lines {
    reader: Box<dyn BufRead + Send>,
    buffer: Vec<u8>,
    number: usize,
}

/// The longest line, so that a file without line ends does not fill the memory.
const LONGEST: u64 = 1 << 30;

impl Lines {
    /// The lines of a file.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        Ok(Self { reader: open(path)?, buffer: Vec::new(), number: 0 })
    }

    /// The next line with its number.
    pub fn next(&mut self, path: &Path) -> Result<Option<(usize, &[u8])>, DataError> {
        self.buffer.clear();
        let unreadable = |source| DataError::Unreadable { path: path.to_owned(), source };
        let read = Read::take(&mut self.reader, LONGEST).read_until(b'\n', &mut self.buffer);
        if read.map_err(unreadable)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        let line = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        if line.len() as u64 >= LONGEST {
            return Err(unreadable(io::Error::other(format!("line {} has a gibibyte or more", self.number))));
        }
        Ok(Some((self.number, line.strip_suffix(b"\r").unwrap_or(line))))
    }
}

/// Text of a file in pieces that hold together: at most `most` bytes each, ending behind a blank line,
/// a line or a space where there is one.
pub(crate) struct Pieces {
    reader: Box<dyn BufRead + Send>,
    buffer: Vec<u8>,
    line: usize,
    ended: bool,
}

/// Bytes of a piece.
pub(crate) const PIECE: usize = 1 << 20;

impl Pieces {
    /// The pieces of a file.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        Ok(Self { reader: open(path)?, buffer: Vec::new(), line: 1, ended: false })
    }

    /// The next piece; they are never empty.
    pub fn next(&mut self, path: &Path) -> Result<Option<String>, DataError> {
        while self.buffer.len() < PIECE && !self.ended {
            let missing = (PIECE - self.buffer.len()) as u64;
            let read = Read::take(&mut self.reader, missing).read_to_end(&mut self.buffer);
            let read = read.map_err(|source| DataError::Unreadable { path: path.to_owned(), source })?;
            self.ended = read == 0;
        }
        if self.buffer.is_empty() {
            return Ok(None);
        }
        let end = if self.ended { self.buffer.len() } else { cut(&self.buffer) };
        let rest = self.buffer.split_off(end);
        let bytes = std::mem::replace(&mut self.buffer, rest);
        let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
        let piece = match String::from_utf8(bytes) {
            Ok(piece) => piece,
            Err(error) => return Err(not_utf8(error.as_bytes(), path, self.line)),
        };
        self.line += lines;
        Ok(Some(piece))
    }
}

/// Where a piece of `bytes`, which go on, ends.
fn cut(bytes: &[u8]) -> usize {
    // A break in the first half would make a piece too small.
    let behind = |pattern: &[u8]| {
        let found = bytes.windows(pattern.len()).rposition(|window| window == pattern);
        found.map(|at| at + pattern.len()).filter(|&at| at > bytes.len() / 2)
    };
    behind(b"\n\n").or_else(|| behind(b"\n")).or_else(|| behind(b" ")).unwrap_or_else(|| {
        // Not inside a character: its first byte is none of those that go on with one.
        let start = bytes.iter().rposition(|&byte| byte & 0xC0 != 0x80).unwrap_or(0);
        if start > bytes.len().saturating_sub(4) && start > 0 { start } else { bytes.len() }
    })
}

/// `bytes` as text; `line` is the number of their first line.
pub(crate) fn utf8<'a>(bytes: &'a [u8], path: &Path, line: usize) -> Result<&'a str, DataError> {
    std::str::from_utf8(bytes).map_err(|_| not_utf8(bytes, path, line))
}

fn not_utf8(bytes: &[u8], path: &Path, line: usize) -> DataError {
    let valid = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
    let good = String::from_utf8_lossy(&bytes[..valid]);
    let last = good.rsplit('\n').next().unwrap_or_default();
    DataError::NotUtf8 {
        path: path.to_owned(),
        line: line + good.matches('\n').count(),
        column: last.chars().count() + 1,
    }
}
