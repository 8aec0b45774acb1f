//! Files where somebody names them: beside their place and renamed, or, where the path leads to a
//! device or a pipe, into that.
//!
//! A link is followed, so that it goes on leading to the file. A file that is replaced keeps who may
//! read and write it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Cursor, Seek, SeekFrom, Write};
use std::path::Path;

use crate::atomic::AtomicFile;
use crate::path::{followed, is_descriptor};

/// Something in the making that somebody named. Dropped without [`Output::commit`], it leaves nothing.
#[derive(Debug)]
pub struct Output(To);

#[derive(Debug)]
enum To {
    File {
        file: AtomicFile<'static>,
        /// Those of the file that is there.
        permissions: Option<Permissions>,
    },
    /// It takes bytes one behind the other: they are kept until all are known, since a writer may seek.
    Stream { stream: File, bytes: Cursor<Vec<u8>> },
}

impl Output {
    /// Begins what will be at `path`.
    pub fn create(path: &Path) -> io::Result<Self> {
        let stream = |stream| Ok(Self(To::Stream { stream, bytes: Cursor::default() }));
        if let Some(open) = own(path) {
            return stream(open);
        }
        let path = followed(path)?;
        if is_descriptor(&path) {
            return stream(OpenOptions::new().append(true).open(path)?);
        }
        let permissions = match fs::metadata(&path) {
            Ok(about) if about.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(about) if !about.is_file() => return stream(OpenOptions::new().write(true).open(path)?),
            about => about.ok().map(|about| about.permissions()),
        };
        Ok(Self(To::File { file: AtomicFile::create(&path)?, permissions }))
    }

    /// Whether it becomes a file, rather than going to where nothing stays.
    pub fn is_file(&self) -> bool {
        matches!(self.0, To::File { .. })
    }

    /// Gives the file its name, or the stream its bytes.
    pub fn commit(self) -> io::Result<()> {
        match self.0 {
            To::File { file, permissions } => {
                permissions.map_or(Ok(()), |permissions| fs::set_permissions(file.scratch(), permissions))?;
                file.commit()
            }
            To::Stream { mut stream, bytes } => {
                stream.write_all(bytes.get_ref())?;
                stream.flush()
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            To::File { file, .. } => file.write(bytes),
            To::Stream { bytes: kept, .. } => kept.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            To::File { file, .. } => file.flush(),
            To::Stream { .. } => Ok(()),
        }
    }
}

impl Seek for Output {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        match &mut self.0 {
            To::File { file, .. } => file.seek(position),
            To::Stream { bytes, .. } => bytes.seek(position),
        }
    }
}

/// The output or the error stream, if `path` leads there too: `/dev/stdout`, or the file that the shell
/// sent them to, of which a second opening would write over the first.
#[cfg(unix)]
fn own(path: &Path) -> Option<File> {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    let about = fs::metadata(path).ok()?;
    let is_same = |file: &File| {
        let open = file.metadata();
        open.is_ok_and(|open| (open.dev(), open.ino()) == (about.dev(), about.ino()))
    };
    let output = io::stdout().as_fd().try_clone_to_owned();
    let errors = io::stderr().as_fd().try_clone_to_owned();
    [output, errors].into_iter().flatten().map(File::from).find(is_same)
}

#[cfg(not(unix))]
fn own(_: &Path) -> Option<File> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn write(path: &Path, bytes: &[u8]) -> io::Result<bool> {
        let mut output = Output::create(path)?;
        output.write_all(bytes)?;
        let is_file = output.is_file();
        output.commit().map(|()| is_file)
    }

    #[test]
    fn a_link_goes_on_leading_to_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        fs::write(at("sub/file"), "old").unwrap();
        symlink("sub/file", at("one")).unwrap();
        symlink("one", at("two")).unwrap();
        assert!(write(&at("two"), b"new").unwrap());
        assert_eq!(fs::read(at("sub/file")).unwrap(), b"new");
        assert!(fs::symlink_metadata(at("two")).unwrap().is_symlink());
        assert!(fs::symlink_metadata(at("one")).unwrap().is_symlink());
        // What a link leads to need not be there yet.
        symlink("sub/absent", at("three")).unwrap();
        write(&at("three"), b"new").unwrap();
        assert_eq!(fs::read(at("sub/absent")).unwrap(), b"new");
        symlink("circle", at("circle")).unwrap();
        write(&at("circle"), b"").unwrap_err();
    }

    #[test]
    fn a_replaced_file_keeps_its_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_open_gets_bytes() {
        use std::io::Read;
        use std::os::fd::AsRawFd;
        let (mut reader, writer) = io::pipe().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        symlink(format!("/proc/self/fd/{}", writer.as_raw_fd()), &link).unwrap();
        assert!(!write(&link, b"x").unwrap());
        drop(writer);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"x");
        assert!(link.is_symlink());
    }

    #[test]
    fn a_folder_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(write(folder.path(), b"").unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
