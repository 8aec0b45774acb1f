//! A file of tokens with sums of its blocks.
//!
//! Read at offsets, not mapped: what is mapped counts as the process's memory, and the text may be larger
//! than that is.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::super::DataError;

/// Tokens of a block.
const BLOCK: usize = 1 << 14;

/// Bytes of a token.
const WIDTH: usize = 4;

/// A file of tokens, open for reading.
#[derive(Debug)]
pub(super) struct TokenFile {
    path: PathBuf,
    file: File,
    sums: Vec<u64>,
    len: usize,
}

/// The two files of a part: tokens, and a sum for each block.
fn names(folder: &Path, part: &str) -> [PathBuf; 2] {
    [folder.join(format!("{part}.tokens")), folder.join(format!("{part}.sums"))]
}

impl TokenFile {
    /// Opens the tokens of a part, `len` of them; what is not as long is damaged.
    pub fn open(folder: &Path, part: &str, len: usize) -> io::Result<Self> {
        let [path, sums] = names(folder, part);
        let sums = std::fs::read(sums)?;
        let sums: Vec<u64> = sums.as_chunks::<8>().0.iter().map(|&sum| u64::from_le_bytes(sum)).collect();
        let file = File::open(&path)?;
        let bytes = file.metadata()?.len();
        if bytes != (len * WIDTH) as u64 || sums.len() != len.div_ceil(BLOCK) {
            return Err(io::Error::other("it is not as long as it should be"));
        }
        Ok(Self { path, file, sums, len })
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// `count` tokens from `start` on; each block they stand in is held against its sum.
    pub fn read(&self, start: usize, count: usize) -> Result<Vec<u32>, DataError> {
        let damaged = |source| DataError::Unreadable { path: self.path.clone(), source };
        let mut ids = Vec::with_capacity(count);
        for block in start / BLOCK..(start + count).div_ceil(BLOCK) {
            let first = block * BLOCK;
            let length = BLOCK.min(self.len - first);
            let mut bytes = vec![0; length * WIDTH];
            read_at(&self.file, &mut bytes, (first * WIDTH) as u64).map_err(damaged)?;
            if xxh3_64(&bytes) != self.sums[block] {
                let reason =
                    format!("tokens {first} to {} are not those that were written", first + length - 1);
                return Err(damaged(io::Error::new(io::ErrorKind::InvalidData, reason)));
            }
            let from = start.saturating_sub(first);
            let to = length.min(start + count - first);
            ids.extend(bytes.as_chunks::<WIDTH>().0[from..to].iter().map(|&id| u32::from_le_bytes(id)));
        }
        Ok(ids)
    }
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => (bytes, at) = (&mut bytes[read..], at + read as u64),
        }
    }
    Ok(())
}

/// A file of tokens in the making.
pub(super) struct TokenWriter {
    tokens: BufWriter<File>,
    sums: BufWriter<File>,
    block: Vec<u8>,
    len: usize,
}

impl TokenWriter {
    pub fn create(folder: &Path, part: &str) -> io::Result<Self> {
        let [tokens, sums] = names(folder, part);
        let create = |path| File::create(path).map(BufWriter::new);
        Ok(Self { tokens: create(tokens)?, sums: create(sums)?, block: Vec::new(), len: 0 })
    }

    pub fn write(&mut self, ids: &[u32]) -> io::Result<()> {
        for id in ids {
            self.block.extend(id.to_le_bytes());
            if self.block.len() == BLOCK * WIDTH {
                self.end_block()?;
            }
        }
        self.len += ids.len();
        Ok(())
    }

    fn end_block(&mut self) -> io::Result<()> {
        self.sums.write_all(&xxh3_64(&self.block).to_le_bytes())?;
        self.tokens.write_all(&self.block)?;
        self.block.clear();
        Ok(())
    }

    /// Ends the file, on the disk; how many tokens it has.
    pub fn finish(mut self) -> io::Result<usize> {
        if !self.block.is_empty() {
            self.end_block()?;
        }
        for mut file in [self.tokens, self.sums] {
            file.flush()?;
            file.get_ref().sync_all()?;
        }
        Ok(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_window_is_what_was_written_and_damage_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let ids: Vec<u32> = (0..3 * BLOCK as u32 + 77).map(|i| i.wrapping_mul(2_654_435_761)).collect();
        let mut writer = TokenWriter::create(folder.path(), "train").unwrap();
        ids.chunks(1000).for_each(|chunk| writer.write(chunk).unwrap());
        assert_eq!(writer.finish().unwrap(), ids.len());
        let file = TokenFile::open(folder.path(), "train", ids.len()).unwrap();
        for (start, count) in [(0, 1), (BLOCK - 1, 2), (5, 2 * BLOCK + 9), (ids.len() - 3, 3), (7, 0)] {
            assert_eq!(file.read(start, count).unwrap(), ids[start..start + count], "{start} {count}");
        }
        assert!(TokenFile::open(folder.path(), "train", ids.len() - 1).is_err());

        let path = folder.path().join("train.tokens");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[BLOCK * WIDTH + 5] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let file = TokenFile::open(folder.path(), "train", ids.len()).unwrap();
        assert!(file.read(0, BLOCK).is_ok());
        assert_eq!(file.read(BLOCK - 1, 2).unwrap_err().code(), "coec::data::unreadable");
    }
}
