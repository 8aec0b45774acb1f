//! What ends a run before its time: signals, and a time limit.
//!
//! The first signal asks: the step in progress is finished, the state saved. If the step takes longer
//! than there is time, the state before it is saved instead. The second signal insists.

use std::io;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use coec_train::run::{Control, Rescue};
#[cfg(unix)]
use signal_hook::consts::{SIGHUP, SIGUSR1, SIGXCPU, SIGXFSZ};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::{failure::Failure, render};

/// A signal has been answered when so much time has passed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A closed terminal sends SIGHUP twice or three times, from the system and from the shell; a system that
/// shuts a session down sends SIGTERM and SIGHUP together.
#[cfg(unix)]
const ECHO: Duration = Duration::from_secs(2);

/// Between two looks at a run.
const TICK: Duration = Duration::from_millis(50);

/// Listens for what ends a run.
pub struct Stop {
    asked: Arc<Asked>,
}

/// What was asked for, and how it is answered.
struct Asked {
    control: Arc<Control>,
    /// The first signal, or 0.
    signal: AtomicI32,
    json: bool,
}

impl Stop {
    /// Listens from now on. A run that is to end `within` some time is asked to early enough, as SIGTERM
    /// would ask it.
    pub fn listen(control: Arc<Control>, within: Option<Duration>, json: bool) -> io::Result<Self> {
        let asked = Arc::new(Asked { control, signal: AtomicI32::new(0), json });
        let listener = asked.clone();
        let mut first: Option<(i32, Instant)> = None;
        on_each_signal(move |signal| match first {
            None => {
                first = Some((signal, Instant::now()));
                listener.ask(signal, Instant::now() + PATIENCE);
            }
            Some((first, at)) if is_echo(first, signal, at.elapsed()) => {}
            Some(_) => process::exit(128 + signal),
        })?;
        if let Some(end) = within.and_then(|within| Instant::now().checked_add(within)) {
            let asked = asked.clone();
            thread::Builder::new().name("time limit".into()).spawn(move || asked.ask_before(end))?;
        }
        Ok(Self { asked })
    }

    /// The signal that came.
    pub fn signal(&self) -> Option<i32> {
        Some(self.asked.signal.load(Relaxed)).filter(|&signal| signal != 0)
    }
}

/// Calls `answer` in a thread of its own whenever a signal comes.
///
/// SIGHUP is not listened for when it is ignored already: then `nohup`, or whoever started the run,
/// wants it to outlive its terminal.
#[cfg(unix)]
fn on_each_signal(mut answer: impl FnMut(i32) + Send + 'static) -> io::Result<()> {
    let mut heard = vec![SIGINT, SIGTERM, SIGUSR1, SIGXCPU];
    if !is_ignored(SIGHUP) {
        heard.push(SIGHUP);
    }
    // A file that may not grow any more is an error of the write, and no end of the run.
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    let mut signals = signal_hook::iterator::Signals::new(heard)?;
    thread::Builder::new().name("signals".into()).spawn(move || signals.forever().for_each(&mut answer))?;
    Ok(())
}

/// The same where signals can only be asked for.
#[cfg(not(unix))]
fn on_each_signal(mut answer: impl FnMut(i32) + Send + 'static) -> io::Result<()> {
    let came = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_usize(signal, came.clone(), signal as usize)?;
    }
    let listen = move || {
        loop {
            match came.swap(0, Relaxed) {
                0 => thread::sleep(TICK),
                signal => answer(signal as i32),
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(listen)?;
    Ok(())
}

/// Whether a signal is only the first one again.
fn is_echo(first: i32, signal: i32, after: Duration) -> bool {
    #[cfg(unix)]
    return signal == SIGHUP && after < ECHO && first != SIGINT;
    #[cfg(not(unix))]
    return first == signal && after < Duration::ZERO;
}

// The standard library does not say what a signal does.
#[cfg(unix)]
#[allow(unsafe_code)]
fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action `sigaction` only writes the present one, to memory of its type,
    // which is valid as zeros too, should it fail.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

impl Asked {
    /// Asks the run to end, and sees to it that it has by `deadline`.
    fn ask(self: &Arc<Self>, signal: i32, deadline: Instant) {
        if self.signal.compare_exchange(0, signal, Relaxed, Relaxed).is_err() {
            return;
        }
        self.control.stop();
        let asked = self.clone();
        let watch = thread::Builder::new().name("deadline".into()).spawn(move || asked.watch(deadline));
        if watch.is_err() {
            // Without a thread to wait in, the run ends when its step does.
            self.say("there is no thread to watch the time with; the step in progress is waited for");
        }
    }

    /// Asks early enough that the step and the commit that follow are done by `end`.
    fn ask_before(self: &Arc<Self>, end: Instant) {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            // Once to be saved in, and once more for the watch to do it in, should the step be slow.
            if left <= self.control.step_takes() + 2 * self.saving() {
                return self.ask(SIGTERM, end);
            }
            thread::sleep(TICK.min(left));
        }
    }

    /// What saving may take, going by the last time.
    fn saving(&self) -> Duration {
        2 * self.control.saving_takes() + Duration::from_millis(500)
    }

    /// Waits for the run to end the process, and ends it when that takes too long.
    fn watch(&self, deadline: Instant) {
        let code = 128 + self.signal.load(Relaxed);
        let mut complaint = None;
        loop {
            let is_late = Instant::now() + self.saving() >= deadline;
            match self.control.rescue(is_late) {
                Rescue::NothingYet => {
                    self.say("stopped before the first step: there was nothing to save");
                    process::exit(code);
                }
                Rescue::NothingMore if is_late => process::exit(code),
                Rescue::NothingMore | Rescue::Busy => {}
                Rescue::Saved { step, path } => {
                    self.say(&format!(
                        "the step in progress took too long and was dropped; step {step} is saved; go on with: \
                         coec train --resume {}",
                        path.display()
                    ));
                    process::exit(code);
                }
                Rescue::Failed(error) => complaint = Some(Failure::from(error).one_line()),
            }
            if let Some(complaint) = &complaint
                && Instant::now() >= deadline
            {
                self.say(&format!("the state could not be saved, the last commit stands: {complaint}"));
                process::exit(code);
            }
            thread::sleep(TICK);
        }
    }

    /// The last words of a process, for people or for programs.
    fn say(&self, text: &str) {
        match self.json {
            true => render::failure(
                &Failure::environment("coec::train::interrupted", text, "--resume goes on"),
                true,
            ),
            false => {
                render::streams::end_below();
                render::line(text);
            }
        }
    }
}
