//! Files of one JSON object a line, written as a run goes on.

use std::fmt::Debug;
use std::io::{self, Read, Seek, SeekFrom};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::RunError;
use super::state::LogState;
use crate::disk::{Disk, DiskFile};

/// A log. A line that cannot be written waits in memory, and in commits, until it can be: a full
/// disk costs no line, and no run.
///
/// A number that is not finite is written as null.
#[derive(Debug)]
pub struct Log<T> {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: Option<Open>,
    state: LogState,
    /// Lines that were there once and are not any more.
    missing: u64,
    kind: PhantomData<fn(&T)>,
}

/// The file, and where its last whole line ends. What is behind that is torn.
#[derive(Debug)]
struct Open {
    file: Box<dyn DiskFile>,
    end: u64,
    torn: bool,
}

impl<T: Serialize> Log<T> {
    /// The log `path` as a commit left it. Lines behind those are not of this run's past, and go.
    pub fn new(disk: Arc<dyn Disk>, path: PathBuf, state: LogState) -> Self {
        Self { disk, path, file: None, state, missing: 0, kind: PhantomData }
    }

    /// Adds a line, and those that wait. The line is not lost where this fails.
    pub fn push(&mut self, line: &T) -> Result<(), RunError> {
        let text = serde_json::to_string(line).map_err(|error| self.unwritable(error.into()))?;
        self.state.waiting.push(text);
        self.write_waiting()
    }

    /// Writes the lines that wait.
    pub fn write_waiting(&mut self) -> Result<(), RunError> {
        self.try_write().map_err(|source| self.unwritable(source))
    }

    /// Makes the lines in the file outlast a loss of power.
    pub fn sync(&mut self) -> Result<(), RunError> {
        let synced = match &mut self.file {
            Some(open) => open.file.sync(),
            None => Ok(()),
        };
        synced.map_err(|source| self.unwritable(source))
    }

    /// Lines that were there when the state was committed, and are not any more.
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// How far it is written.
    pub fn state(&self) -> &LogState {
        &self.state
    }

    fn try_write(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            let (open, lines) = open(&*self.disk, &self.path, self.state.lines)?;
            self.missing += self.state.lines - lines;
            self.state.lines = lines;
            self.file = Some(open);
        }
        let Some(open) = &mut self.file else { return Ok(()) };
        while let Some(line) = self.state.waiting.first() {
            if open.torn {
                open.file.set_len(open.end)?;
                open.file.seek(SeekFrom::Start(open.end))?;
                open.torn = false;
            }
            // One write, so that a reader who follows the file sees whole lines.
            let line = format!("{line}\n");
            open.torn = true;
            open.file.write_all(line.as_bytes())?;
            open.torn = false;
            open.end += line.len() as u64;
            self.state.lines += 1;
            self.state.waiting.remove(0);
        }
        Ok(())
    }

    fn unwritable(&self, source: io::Error) -> RunError {
        RunError::Unwritable { path: self.path.clone(), source }
    }
}

/// Opens `path` behind its first `lines` lines, or as many as there are, and how many that is.
fn open(disk: &dyn Disk, path: &Path, lines: u64) -> io::Result<(Open, u64)> {
    if path.exists() && !path.is_file() {
        // A device may never end.
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    let mut file = disk.open_or_create(path)?;
    let (mut found, mut end, mut at) = (0, 0, 0);
    let mut piece = vec![0; 1 << 16];
    while found < lines {
        let read = file.read(&mut piece)?;
        if read == 0 {
            break;
        }
        for (place, _) in piece[..read].iter().enumerate().filter(|&(_, &byte)| byte == b'\n') {
            if found < lines {
                (found, end) = (found + 1, at + place as u64 + 1);
            }
        }
        at += read as u64;
    }
    if file.seek(SeekFrom::End(0))? != end {
        file.set_len(end)?;
    }
    file.seek(SeekFrom::Start(end))?;
    Ok((Open { file, end, torn: false }, found))
}

/// The lines of a file; the last one may be torn, and is then left out.
pub(super) fn read<T: DeserializeOwned>(disk: &dyn Disk, path: &Path) -> Result<Vec<T>, RunError> {
    let mut text = Vec::new();
    let read = disk.open(path).and_then(|mut file| file.read_to_end(&mut text));
    read.map_err(|source| RunError::Unreadable { path: path.to_owned(), source })?;
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
