//! A terminal to run a command in.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Which streams of a command are the terminal; the others are left as they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Streams {
    Both,
    Errors,
}

/// Both ends of a terminal of so many columns and rows.
#[allow(unsafe_code)] // the standard library opens none
fn open(columns: u16, rows: u16) -> (File, OwnedFd) {
    let (mut ours, mut theirs) = (-1, -1);
    let size = size(columns, rows);
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

fn size(columns: u16, rows: u16) -> libc::winsize {
    libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

/// Runs a command in a terminal of so many columns; what is to be seen there.
pub fn seen(command: &mut Command, streams: Streams, columns: u16) -> String {
    let (mut ours, theirs) = open(columns, 24);
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
    let (mut ours, theirs) = open(100, 24);
    let device = std::fs::read_link(format!("/proc/self/fd/{}", theirs.as_raw_fd())).unwrap();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| all(&mut ours));
        write(&device);
        drop(theirs);
        reader.join().unwrap()
    })
}

/// A terminal that a command runs in while somebody looks at it and types.
pub struct Terminal {
    child: Child,
    ours: File,
    theirs: OwnedFd,
    /// How it was set before the command.
    before: Settings,
    seen: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

/// How keys reach the command: modes, in order of input, output and local ones.
type Settings = [libc::tcflag_t; 3];

impl Terminal {
    /// Starts a command in a terminal of so many columns and rows.
    pub fn start(command: &mut Command, columns: u16, rows: u16) -> Self {
        let (ours, theirs) = open(columns, rows);
        let before = settings(&theirs);
        let end = || theirs.try_clone().unwrap();
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (shown, mut output) = (seen.clone(), ours.try_clone().unwrap());
        let reader = thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut piece) {
                shown.lock().unwrap().extend_from_slice(&piece[..length]);
            }
        });
        Self { child, ours, theirs, before, seen, reader }
    }

    /// Everything that was shown so far.
    pub fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }

    /// Waits until it has shown `text`, after so much that was shown before.
    pub fn wait_for(&self, text: &str, before: usize) {
        let start = Instant::now();
        while !self.seen()[before..].contains(text) {
            assert!(start.elapsed() < Duration::from_secs(60), "no `{text}` in:\n{}", self.seen());
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn types(&mut self, keys: &str) {
        self.ours.write_all(keys.as_bytes()).unwrap();
    }

    /// Gives it another size, which a terminal tells its programs by a signal.
    #[allow(unsafe_code)] // the standard library knows no sizes
    pub fn resize(&self, columns: u16, rows: u16) {
        let size = size(columns, rows);
        // SAFETY: the size is read only, and valid.
        let set = unsafe { libc::ioctl(self.ours.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
        assert_eq!(set, 0);
        self.signal("WINCH");
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// How the command ended, what was shown, and whether the terminal is set as it was.
    pub fn end(mut self) -> (ExitStatus, String, bool) {
        let start = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            if start.elapsed() > Duration::from_secs(60) {
                let _ = self.child.kill();
                panic!("it does not end; it shows:\n{}", self.seen());
            }
            thread::sleep(Duration::from_millis(10));
        }
        let status = self.child.wait().unwrap();
        let is_as_before = settings(&self.theirs) == self.before;
        drop(self.theirs);
        self.reader.join().unwrap();
        let seen = String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned();
        (status, seen, is_as_before)
    }
}

#[allow(unsafe_code)] // the standard library knows no settings
fn settings(terminal: &OwnedFd) -> Settings {
    let mut settings = std::mem::MaybeUninit::<libc::termios>::zeroed();
    // SAFETY: it is written to memory of its type, which is valid as zeros too.
    let settings = unsafe {
        assert_eq!(libc::tcgetattr(terminal.as_raw_fd(), settings.as_mut_ptr()), 0);
        settings.assume_init()
    };
    [settings.c_iflag, settings.c_oflag, settings.c_lflag]
}
