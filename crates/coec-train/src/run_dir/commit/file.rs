//! A file of a commit, summed up while it is written.

use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use super::manifest::FileSum;
use crate::{
    disk::{Disk, DiskFile},
    fingerprint::Fingerprinter,
};

/// A file that is written from its beginning to its end.
#[derive(Debug)]
pub(super) struct SummedFile {
    name: String,
    file: Box<dyn DiskFile>,
    sum: Fingerprinter,
}

impl SummedFile {
    /// Begins `name` in `folder`.
    pub fn create(disk: &dyn Disk, folder: &Path, name: &str) -> io::Result<Self> {
        let file = disk.create(&folder.join(name))?;
        Ok(Self { name: name.into(), file, sum: Fingerprinter::default() })
    }

    /// Makes its bytes last.
    pub fn finish(mut self) -> io::Result<FileSum> {
        self.file.sync()?;
        Ok(FileSum { name: self.name, sum: self.sum.finish() })
    }
}

impl Write for SummedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sum.add(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for SummedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Start(at) if at == self.sum.bytes() => Ok(at),
            SeekFrom::Current(0) => Ok(self.sum.bytes()),
            _ => Err(io::Error::new(io::ErrorKind::Unsupported, "a commit's files are written in order")),
        }
    }
}
