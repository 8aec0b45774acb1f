//! Whether somebody is working on a run, found out without touching its lock: who tried it would keep others
//! from taking it.

use std::path::Path;

/// Who works on a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A process of this machine.
    Somebody,
    /// No process of this machine.
    Nobody,
    /// The system does not say.
    Unknown,
}

/// Who holds the lock `path`.
#[cfg(target_os = "linux")]
pub(super) fn holder(path: &Path) -> Holder {
    use std::os::unix::fs::MetadataExt;
    let Ok(about) = path.metadata() else { return Holder::Nobody };
    match std::fs::read_to_string("/proc/locks") {
        Ok(table) if is_held(&table, about.ino()) => Holder::Somebody,
        Ok(_) => Holder::Nobody,
        Err(_) => Holder::Unknown,
    }
}

/// The same where no table of locks can be read.
#[cfg(not(target_os = "linux"))]
pub(super) fn holder(path: &Path) -> Holder {
    if path.exists() { Holder::Unknown } else { Holder::Nobody }
}

/// Whether the system's table of locks has one on the file of that number. The device is not compared: of
/// layered file systems, table and file name different ones.
#[cfg(target_os = "linux")]
fn is_held(table: &str, file: u64) -> bool {
    let holds = |line: &str| {
        // `1: FLOCK  ADVISORY  WRITE 30206 fe:00:10112113 0 EOF`; who waits for one has an arrow in front.
        let mut words = line.split_whitespace().skip(1);
        words.next() == Some("FLOCK")
            && words.nth(3).and_then(|place| place.rsplit(':').next()?.parse().ok()) == Some(file)
    };
    table.lines().any(holds)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::disk;

    #[test]
    fn a_lock_is_seen_while_it_is_held() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("lock");
        assert_eq!(holder(&path), Holder::Nobody);
        let lock = disk::system().lock(&path).unwrap().unwrap();
        assert_eq!(holder(&path), Holder::Somebody);
        drop(lock);
        assert_eq!(holder(&path), Holder::Nobody);
    }

    #[test]
    fn who_waits_for_a_lock_does_not_hold_it() {
        let table =
            "1: FLOCK  ADVISORY  WRITE 30206 fe:00:77 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 7 fe:00:78 0 EOF\n";
        assert!(is_held(table, 77) && !is_held(table, 78) && !is_held(table, 7));
        assert!(!is_held("2: POSIX  ADVISORY  WRITE 30206 fe:00:77 0 EOF\n", 77));
    }
}
