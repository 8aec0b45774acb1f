//! What a file is, by what stands in it.

use std::path::Path;

use super::reader::{Fields, Lines, is_parquet};
use super::{DataError, files};

/// What the files of a path hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Text.
    Text,
    /// JSON Lines: an object a line.
    Lines,
    /// Parquet.
    Parquet,
}

/// What the files of a path or glob hold, by the first line of the first that is not blank. Names say
/// nothing: `.jsonl`, `.ndjson` and `.txt` are all read.
pub fn kind_of(pattern: &str) -> Result<FileKind, DataError> {
    for path in files::resolve(pattern, Path::new(""))? {
        if is_parquet(&path).map_err(|source| DataError::Unreadable { path: path.clone(), source })? {
            return Ok(FileKind::Parquet);
        }
        let mut lines = Lines::open(&path)?;
        while let Some((_, line)) = lines.next(&path)? {
            let Ok(line) = std::str::from_utf8(line) else { return Ok(FileKind::Text) };
            if !line.trim().is_empty() {
                return Ok(if Fields::of(line).is_ok() { FileKind::Lines } else { FileKind::Text });
            }
        }
    }
    Ok(FileKind::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides() {
        let folder = tempfile::tempdir().unwrap();
        let kind = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            kind_of(path.to_str().unwrap()).unwrap()
        };
        assert_eq!(kind("a.txt", b"\xEF\xBB\xBF\r\n \n{\"text\": 1}\r\n"), FileKind::Lines);
        assert_eq!(kind("a.ndjson", b"{\"text\": NaN}"), FileKind::Lines);
        assert_eq!(kind("a.jsonl", b"{ said the brace"), FileKind::Text);
        assert_eq!(kind("empty", b""), FileKind::Text);
    }
}
