//! A log as others read it while a run writes it.
//!
//! The log may not be there yet, its last line may be half written, and a run that goes on cuts off what lies
//! behind its last commit and writes it again: somebody who reads along is told so.

use std::io::{self, Read, SeekFrom};
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::error::RunError;
use crate::disk::{Disk, DiskFile};

/// Bytes read at once.
const PIECE: usize = 1 << 20;

/// The lines of a log, those that are there and those that come.
#[derive(Debug)]
pub struct Tail<T> {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Where the next line begins, and its number.
    at: u64,
    line: usize,
    /// The line before. Another one in its place means that the log was cut, and has grown again since.
    last: Vec<u8>,
    kind: PhantomData<fn() -> T>,
}

/// What a log has for its reader.
#[derive(Debug, Clone, PartialEq)]
pub enum News<T> {
    /// What was read before is not the log any more: it comes again from its first line.
    Anew,
    /// One more line.
    Line(T),
}

impl<T: DeserializeOwned> Tail<T> {
    /// From the first line on.
    pub(super) fn new(disk: Arc<dyn Disk>, path: PathBuf) -> Self {
        Self { disk, path, at: 0, line: 1, last: Vec::new(), kind: PhantomData }
    }

    /// Tells what is new. A line without an end is left for later.
    ///
    /// # Errors
    ///
    /// A log that the system will not read; a whole line that is none.
    pub fn read(&mut self, tell: &mut dyn FnMut(News<T>)) -> Result<(), RunError> {
        let mut file = match self.disk.open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.begin_anew(tell);
                return Ok(());
            }
            Err(source) => return Err(self.unreadable(source)),
        };
        if !self.goes_on(&mut *file).map_err(|source| self.unreadable(source))? {
            self.begin_anew(tell);
        }
        let from = self.at;
        match self.lines(&mut *file, tell) {
            // It may have been cut just now, and the place be the middle of another line.
            Err(RunError::BadLine { .. }) if from > 0 => {
                self.begin_anew(tell);
                self.lines(&mut *file, tell)
            }
            read => read,
        }
    }

    fn begin_anew(&mut self, tell: &mut dyn FnMut(News<T>)) {
        if self.at > 0 {
            (self.at, self.line) = (0, 1);
            self.last.clear();
            tell(News::Anew);
        }
    }

    /// Whether what was read last is where it was.
    fn goes_on(&self, file: &mut dyn DiskFile) -> io::Result<bool> {
        if file.seek(SeekFrom::End(0))? < self.at {
            return Ok(false);
        }
        let mut there = vec![0; self.last.len()];
        file.seek(SeekFrom::Start(self.at - self.last.len() as u64))?;
        match file.read_exact(&mut there) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            read => read.map(|()| there == self.last),
        }
    }

    /// Tells every whole line from here on.
    fn lines(&mut self, mut file: &mut dyn DiskFile, tell: &mut dyn FnMut(News<T>)) -> Result<(), RunError> {
        let unreadable = |source| RunError::Unreadable { path: self.path.clone(), source };
        file.seek(SeekFrom::Start(self.at)).map_err(unreadable)?;
        let mut waiting = Vec::new();
        loop {
            let begun = waiting.len();
            let read = Read::by_ref(&mut file).take(PIECE as u64).read_to_end(&mut waiting);
            if read.map_err(unreadable)? == 0 {
                return Ok(());
            }
            let Some(end) = waiting[begun..].iter().rposition(|&byte| byte == b'\n') else { continue };
            let rest = waiting.split_off(begun + end + 1);
            for line in waiting.split_inclusive(|&byte| byte == b'\n') {
                if !line.trim_ascii().is_empty() {
                    let parsed = serde_json::from_slice(line).map_err(|error| RunError::BadLine {
                        path: self.path.clone(),
                        line: self.line,
                        reason: error.to_string(),
                    })?;
                    tell(News::Line(parsed));
                }
                self.at += line.len() as u64;
                self.line += 1;
                self.last.clear();
                self.last.extend_from_slice(line);
            }
            waiting = rest;
        }
    }

    fn unreadable(&self, source: io::Error) -> RunError {
        RunError::Unreadable { path: self.path.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    use tempfile::TempDir;

    use super::*;
    use crate::disk;

    /// A log of numbers, and somebody who reads it.
    struct Log {
        dir: TempDir,
        tail: Tail<u32>,
    }

    impl Log {
        fn new() -> Self {
            let dir = TempDir::new().unwrap();
            let tail = Tail::new(disk::system(), dir.path().join("log"));
            Self { dir, tail }
        }

        fn write(&self, text: &str) {
            fs::write(self.dir.path().join("log"), text).unwrap();
        }

        fn add(&self, text: &str) {
            let log = self.dir.path().join("log");
            OpenOptions::new().append(true).open(log).unwrap().write_all(text.as_bytes()).unwrap();
        }

        fn news(&mut self) -> Vec<News<u32>> {
            let mut news = Vec::new();
            self.tail.read(&mut |new| news.push(new)).unwrap();
            news
        }
    }

    use News::{Anew, Line};

    #[test]
    fn lines_come_once_and_half_a_line_waits_for_its_end() {
        let mut log = Log::new();
        assert_eq!(log.news(), []);
        log.write("1\n2\n3");
        assert_eq!(log.news(), [Line(1), Line(2)]);
        assert_eq!(log.news(), []);
        log.add("4\n\n5\n");
        assert_eq!(log.news(), [Line(34), Line(5)]);
    }

    #[test]
    fn a_log_that_is_cut_comes_again_also_when_it_has_grown_since() {
        let mut log = Log::new();
        log.write("1\n2\n3\n");
        log.news();
        log.write("1\n2\n");
        assert_eq!(log.news(), [Anew, Line(1), Line(2)]);
        log.write("1\n7\n8\n9\n");
        assert_eq!(log.news(), [Anew, Line(1), Line(7), Line(8), Line(9)]);
        // A line of another length where the last one was.
        log.write("1\n77\n88\n99\n100\n");
        assert_eq!(log.news().first(), Some(&Anew));
        fs::remove_file(log.dir.path().join("log")).unwrap();
        assert_eq!((log.news(), log.news()), (vec![Anew], vec![]));
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let mut log = Log::new();
        log.write("1\n2\n");
        log.news();
        log.add("three\n");
        let said = log.tail.read(&mut |_| {}).unwrap_err();
        assert!(matches!(said, RunError::BadLine { line: 3, .. }), "{said}");
    }

    #[test]
    fn lines_may_be_longer_than_a_piece() {
        let mut log = Log::new();
        let blank = " ".repeat(2 * PIECE + 5);
        log.write(&format!("1\n{blank}2\n{blank}\n3"));
        assert_eq!(log.news(), [Line(1), Line(2)]);
        log.add("0\n");
        assert_eq!(log.news(), [Line(30)]);
    }
}
