//! Signals to an experiment, which its runs must hear: each finishes its step and saves.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::failure::Failure;

/// What stops the runs beside one that failed.
pub const STOP: i32 = SIGTERM;

/// Listens for what ends an experiment.
pub struct Interrupt {
    came: Arc<AtomicUsize>,
    /// Runs that were told.
    told: Mutex<HashSet<PathBuf>>,
}

impl Interrupt {
    /// Listens from now on. A second signal ends at once.
    pub fn listen() -> Result<Self, Failure> {
        let came = Arc::new(AtomicUsize::new(0));
        #[cfg(unix)]
        let signals = [SIGINT, SIGTERM, signal_hook::consts::SIGHUP, signal_hook::consts::SIGUSR1];
        #[cfg(not(unix))]
        let signals = [SIGINT, SIGTERM];
        for signal in signals {
            let register = || signal_hook::flag::register_usize(signal, came.clone(), signal as usize);
            register().map_err(|error| {
                Failure::environment(
                    "coec::experiment::signals",
                    format!("cannot listen for signals: {error}"),
                    "try again",
                )
            })?;
        }
        Ok(Self { came, told: Mutex::default() })
    }

    /// The signal that came.
    pub fn signal(&self) -> Option<i32> {
        match self.came.load(Relaxed) {
            0 => None,
            signal => Some(signal as i32),
        }
    }

    /// Tells a run of a signal, once.
    pub fn pass_on(&self, signal: i32, run: &Path, child: &mut Child) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(run.to_owned()) {
            send(signal, child);
        }
    }
}

#[cfg(unix)]
#[allow(unsafe_code)]
fn send(signal: i32, child: &mut Child) {
    // SAFETY: `kill` touches no memory; the child is not waited for yet, so its number is its own.
    unsafe {
        libc::kill(child.id() as libc::pid_t, signal);
    }
}

#[cfg(not(unix))]
fn send(_: i32, child: &mut Child) {
    let _ = child.kill();
}

/// Makes a process one that hears of signals from here alone: the terminal's go to those in the foreground, and
/// a run that hears of one twice ends without saving. Where the system can, it is told when this process is
/// killed.
#[cfg(unix)]
#[allow(unsafe_code)]
pub fn of_ours(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
    #[cfg(target_os = "linux")]
    // SAFETY: between fork and exec only `prctl` is called, which is safe to call there.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            Ok(())
        });
    }
}

#[cfg(not(unix))]
pub fn of_ours(_: &mut Command) {}
