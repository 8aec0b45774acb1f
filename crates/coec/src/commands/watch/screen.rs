//! A run that fills the terminal.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

#[cfg(unix)]
use signal_hook::consts::{SIGHUP, SIGTSTP};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::{LOOK, follow::Follower};
use crate::{
    failure::{Done, Failure},
    picture::{View, picture},
    render::{
        self,
        full_screen::{FullScreen, Key},
        streams,
        terminal::Stream,
    },
};

/// Between two looks for keys and signals.
const TICK: Duration = Duration::from_millis(100);

/// Between two drawings when nothing happens but time.
const SLOW: Duration = Duration::from_secs(1);

/// Rows that a page of keys goes by.
const PAGE: usize = 10;

/// Shows the run until somebody has seen enough.
pub fn show(mut follower: Follower) -> Result<Done, Failure> {
    let signals = Signals::listen().map_err(|error| {
        Failure::environment(
            "coec::train::signals",
            format!("cannot listen for signals: {error}"),
            "try again",
        )
    })?;
    let mut screen = FullScreen::enter();
    let shown = follow(&mut follower, &mut screen, &signals);
    drop(screen);
    let done = shown?;
    render::line(&last_words(&follower));
    Ok(done)
}

fn follow(follower: &mut Follower, screen: &mut FullScreen, signals: &Signals) -> Result<Done, Failure> {
    let (mut skipped, mut looked, mut drawn) = (0usize, Instant::now(), None::<Instant>);
    let mut is_new = true;
    loop {
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            is_new |= follower.look(&mut |_| {})?;
        }
        if is_new || drawn.is_none_or(|drawn| drawn.elapsed() >= SLOW) || signals.has_resized() {
            (is_new, drawn) = (false, Some(Instant::now()));
            let (columns, rows) = screen.size();
            let hint = "q leaves  ↑↓ experts";
            let view = View { columns, rows, hint, skipped };
            let has_colour = Stream::Output.has_colour();
            let lines = picture(&follower.story, follower.now(), view).into_iter();
            screen.show(lines.map(|line| line.row(has_colour)).collect());
        }
        if streams::is_closed() {
            return Ok(Done::Well);
        }
        for key in screen.keys(TICK) {
            is_new = true;
            let most = follower.story.loads.len();
            skipped = match key {
                Key::Quit => return Ok(Done::Well),
                Key::Up => skipped.saturating_sub(1),
                Key::Down => skipped + 1,
                Key::PageUp => skipped.saturating_sub(PAGE),
                Key::PageDown => skipped + PAGE,
                Key::Home => 0,
                Key::End => most,
            }
            .min(most);
        }
        if let Some(signal) = signals.ended() {
            return Ok(Done::Interrupted(signal));
        }
        signals.stop(screen);
    }
}

/// What stays in the terminal.
fn last_words(follower: &Follower) -> String {
    let story = &follower.story;
    let Some(latest) = &story.latest else { return format!("{}: no step yet", story.name) };
    let val = story.evaluated.map_or(String::new(), |evaluated| format!(", val {:.3}", evaluated.loss));
    format!("{}: step {}/{}, loss {:.3}{val}", story.name, latest.step, story.steps, latest.loss)
}

/// What the system and the terminal ask for.
struct Signals {
    ended: Arc<AtomicUsize>,
    resized: Arc<AtomicBool>,
    stopped: Arc<AtomicBool>,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        let signals = Self { ended: Arc::default(), resized: Arc::default(), stopped: Arc::default() };
        let again: Arc<AtomicBool> = Arc::default();
        let ends = [
            SIGINT,
            SIGTERM,
            #[cfg(unix)]
            SIGHUP,
        ];
        for signal in ends {
            // The second one ends at once, should the disk not answer.
            flag::register_conditional_shutdown(signal, 128 + signal, again.clone())?;
            flag::register(signal, again.clone())?;
            flag::register_usize(signal, signals.ended.clone(), signal as usize)?;
        }
        #[cfg(unix)]
        {
            flag::register(signal_hook::consts::SIGWINCH, signals.resized.clone())?;
            flag::register(SIGTSTP, signals.stopped.clone())?;
        }
        Ok(signals)
    }

    /// The signal that asks for an end.
    fn ended(&self) -> Option<i32> {
        Some(self.ended.load(Relaxed) as i32).filter(|&signal| signal != 0)
    }

    fn has_resized(&self) -> bool {
        self.resized.swap(false, Relaxed)
    }

    /// Stops where Ctrl-Z asks for it, the terminal given back meanwhile.
    fn stop(&self, screen: &mut FullScreen) {
        if self.stopped.swap(false, Relaxed) {
            screen.away(|| {
                #[cfg(unix)]
                let _ = signal_hook::low_level::emulate_default_handler(SIGTSTP);
            });
            self.resized.store(true, Relaxed);
        }
    }
}
