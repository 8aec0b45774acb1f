//! The event file of a run that goes on.

use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Event, file_name, of_experts, of_metrics};
use crate::{
    disk::{Disk, DiskFile},
    experts::ExpertLine,
    run_dir::{Metrics, RunDir, RunError},
};

/// The folder of event files in a run's directory.
pub const FOLDER: &str = "tensorboard";

/// An event file that grows with the logs of a run.
///
/// It begins with all that the logs have, under a name behind those of earlier ones, which are emptied: so no step
/// is there twice, wherever the run was killed and gone on with, and a TensorBoard that has read the earlier file
/// forgets what it read.
#[derive(Debug)]
pub struct Live {
    path: PathBuf,
    file: Box<dyn DiskFile>,
}

impl Live {
    /// Makes the file of what is in the logs of `run`.
    ///
    /// # Errors
    ///
    /// A log that cannot be read; a folder that cannot be written.
    pub fn begin(run: &RunDir) -> Result<Self, RunError> {
        let metrics = none_if_missing(run.read_metrics())?;
        let experts = none_if_missing(run.read_experts())?;
        let (disk, folder) = (run.disk(), run.path().join(FOLDER));
        let unwritable = |source| RunError::Unwritable { path: folder.clone(), source };
        if !folder.is_dir() {
            disk.create_dir(&folder).map_err(unwritable)?;
        }
        let earlier = earlier(disk, &folder).map_err(unwritable)?;
        let now = now();
        let after = earlier.iter().filter_map(|(seconds, _)| *seconds).max().map_or(0, |last| last + 1);
        let path = folder.join(file_name(after.max(now as u64)));
        // Under a name that TensorBoard passes over, until all of it is there. It need not outlast a loss of
        // power: what it is made of does.
        let scratch = folder.join("begun");
        if scratch.exists() {
            disk.remove_file(&scratch).map_err(unwritable)?;
        }
        let mut events = Vec::new();
        let mut file = disk.create(&scratch).map_err(unwritable)?;
        super::write(&mut events, &metrics, &experts, now)
            .and_then(|()| file.write_all(&events))
            .and_then(|()| disk.rename(&scratch, &path))
            .map_err(unwritable)?;
        for (_, path) in &earlier {
            take_back(disk, path).map_err(unwritable)?;
        }
        Ok(Self { path, file })
    }

    /// Adds a step.
    pub fn step(&mut self, line: &Metrics) -> Result<(), RunError> {
        self.add(&[of_metrics(line, now())])
    }

    /// Adds loads of experts.
    pub fn experts(&mut self, lines: &[ExpertLine]) -> Result<(), RunError> {
        let time = now();
        self.add(&lines.iter().map(|line| of_experts(line, time)).collect::<Vec<_>>())
    }

    fn add(&mut self, events: &[Event]) -> Result<(), RunError> {
        let records: Vec<u8> = events.iter().flat_map(Event::record).collect();
        let written = self.file.write_all(&records);
        written.map_err(|source| RunError::Unwritable { path: self.path.clone(), source })
    }
}

/// Empties a file that another takes the place of. A TensorBoard that reads it would not get past one that is gone;
/// by the time it is empty already, it has.
fn take_back(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let mut file = disk.open_or_create(path)?;
    match file.seek(SeekFrom::End(0))? {
        0 => disk.remove_file(path),
        _ => file.set_len(0),
    }
}

/// The lines of a log, none where it is not begun.
pub fn none_if_missing<T>(read: Result<Vec<T>, RunError>) -> Result<Vec<T>, RunError> {
    match read {
        Err(RunError::Unreadable { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

/// The event files of earlier sessions, with the seconds in their names.
fn earlier(disk: &dyn Disk, folder: &Path) -> io::Result<Vec<(Option<u64>, PathBuf)>> {
    let names = disk.names(folder)?.into_iter();
    let ours = names.filter_map(|name| {
        let text = name.to_str()?;
        let seconds = text.strip_prefix("events.out.tfevents.")?.strip_suffix(".coec")?;
        Some((seconds.parse().ok(), folder.join(text)))
    });
    Ok(ours.collect())
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
