//! A terminal to run a command in.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};

/// Which streams of a command are the terminal; the others are left as they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Streams {
    Both,
    Errors,
}

/// Both ends of a terminal of so many columns.
#[allow(unsafe_code)] // the standard library opens none
fn open(columns: u16) -> (File, OwnedFd) {
    let (mut ours, mut theirs) = (-1, -1);
    let size = libc::winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: both numbers are written to valid places, the name and the settings may be left out, and the
    // size is read only.
    let opened = unsafe {
        let (name, settings) = (std::ptr::null_mut(), std::ptr::null_mut());
        libc::openpty(&mut ours, &mut theirs, name, settings, (&raw const size).cast_mut())
    };
    assert_eq!(opened, 0, "a terminal is opened");
    // SAFETY: they are open and nobody else's.
    unsafe { (File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) }
}

/// Runs a command in a terminal of so many columns; what is to be seen there.
pub fn seen(command: &mut Command, streams: Streams, columns: u16) -> String {
    let (mut ours, theirs) = open(columns);
    if streams == Streams::Both {
        command.stdout(theirs.try_clone().unwrap());
    }
    command.stderr(theirs);
    let mut child = command.spawn().unwrap();
    // The terminal is closed once nobody holds its other end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let seen = all(&mut ours);
    child.wait().unwrap();
    seen
}

/// What is shown by a terminal until nobody holds its other end any more.
fn all(ours: &mut File) -> String {
    let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
    // At its end some systems give an error.
    while let Ok(length @ 1..) = ours.read(&mut piece) {
        seen.extend_from_slice(&piece[..length]);
    }
    String::from_utf8_lossy(&seen).replace("\r\n", "\n")
}

/// What a terminal shows of what `write` writes to the device it is.
pub fn shown_by_device(write: impl FnOnce(&Path)) -> String {
    let (mut ours, theirs) = open(100);
    let device = std::fs::read_link(format!("/proc/self/fd/{}", theirs.as_raw_fd())).unwrap();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| all(&mut ours));
        write(&device);
        drop(theirs);
        reader.join().unwrap()
    })
}
