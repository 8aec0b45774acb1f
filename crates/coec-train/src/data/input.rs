//! Data from standard input, kept so that it can be read more than once.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::DataError;
use super::cache::{INPUT, folder as cache_folder};
use crate::fingerprint::Fingerprinter;

/// Bytes copied at once.
const AT_ONCE: usize = 1 << 20;

/// Copies `input` to the cache and says where it is: under its own sum, so that the same input is there
/// once. A run keeps a copy of its own.
pub fn kept(input: &mut dyn Read) -> Result<PathBuf, DataError> {
    let folder = cache_folder().join(INPUT);
    let failed = |source| DataError::Cache { path: folder.clone(), source };
    fs::create_dir_all(&folder).map_err(failed)?;
    let scratch = folder.join(format!("{}.part", std::process::id()));
    let sum = copied(input, &scratch).map_err(|source| {
        let _ = fs::remove_file(&scratch);
        failed(source)
    })?;
    let path = folder.join(sum);
    fs::rename(&scratch, &path).map_err(failed)?;
    Ok(path)
}

/// The same of a file that can be read once.
pub fn kept_file(path: &Path) -> Result<PathBuf, DataError> {
    let file = File::open(path).map_err(|source| DataError::Unreadable { path: path.to_owned(), source });
    kept(&mut file?)
}

/// Copies everything to a new file; the sum of it.
fn copied(input: &mut dyn Read, path: &Path) -> io::Result<String> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut made = Fingerprinter::default();
    let mut buffer = vec![0; AT_ONCE];
    loop {
        let read = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        made.add(&buffer[..read]);
        file.write_all(&buffer[..read])?;
    }
    file.flush()?;
    file.get_ref().sync_all()?;
    Ok(made.finish().xxh3)
}
