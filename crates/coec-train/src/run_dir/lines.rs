//! Files of one JSON object a line, written as a run goes on.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::RunError;

/// Appends lines to a file. A number that is not finite is written as null.
#[derive(Debug)]
pub struct Lines<T> {
    path: PathBuf,
    file: File,
    kind: PhantomData<fn(&T)>,
}

impl<T: Serialize> Lines<T> {
    /// Opens `path` for appending, after its last whole line.
    ///
    /// A process that was killed may have left part of a line; it goes.
    pub fn append(path: &Path) -> Result<Self, RunError> {
        let unwritable = |source| RunError::Unwritable { path: path.to_owned(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(unwritable)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(unwritable)?;
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end as u64 + 1);
        file.set_len(whole).and_then(|()| file.seek(SeekFrom::Start(whole))).map_err(unwritable)?;
        Ok(Self { path: path.to_owned(), file, kind: PhantomData })
    }

    /// Adds a line; it is with the system when this returns.
    pub fn push(&mut self, line: &T) -> Result<(), RunError> {
        let unwritable = |source| RunError::Unwritable { path: self.path.clone(), source };
        let mut text = serde_json::to_vec(line).map_err(|error| unwritable(error.into()))?;
        text.push(b'\n');
        // One write, so that a reader who follows the file sees whole lines.
        self.file.write_all(&text).map_err(unwritable)
    }

    /// Makes the lines so far outlast a loss of power.
    pub fn sync(&self) -> Result<(), RunError> {
        self.file.sync_data().map_err(|source| RunError::Unwritable { path: self.path.clone(), source })
    }
}

/// The lines of a file; the last one may be torn, and is then left out.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, RunError> {
    let text =
        std::fs::read(path).map_err(|source| RunError::Unreadable { path: path.to_owned(), source })?;
    let whole = text.iter().rposition(|&byte| byte == b'\n').unwrap_or(0);
    text[..whole]
        .split(|&byte| byte == b'\n')
        .zip(1..)
        .filter(|(line, _)| !line.trim_ascii().is_empty())
        .map(|(text, line)| {
            serde_json::from_slice(text).map_err(|error| RunError::BadLine {
                path: path.to_owned(),
                line,
                reason: error.to_string(),
            })
        })
        .collect()
}
