//! The picture of a run below its lines, drawn by a thread of its own: a terminal that takes its time costs the
//! run none, and seconds run down while a step takes long.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use coec_train::run::Control;

use crate::{
    picture::{View, picture},
    render::{below::Row, streams, terminal::Stream},
    story::{Standing, Story},
};

/// Between two drawings when something happens, and when nothing does.
const QUICK: Duration = Duration::from_millis(100);
const SLOW: Duration = Duration::from_secs(1);

/// Rows that are left to what is printed, in a terminal that has so many rows or more.
const LEFT: usize = 2;
const MANY: usize = 20;

/// A picture that moves. Dropped, it stays as it is.
pub struct Live {
    shared: Arc<Shared>,
    clock: Instant,
    drawing: Option<JoinHandle<()>>,
}

struct Shared {
    now: Mutex<Now>,
    woken: Condvar,
}

/// What is to be drawn.
struct Now {
    story: Story,
    has_changed: bool,
    is_over: bool,
}

impl Live {
    /// Begins to draw.
    pub fn begin(story: Story, control: Arc<Control>) -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let next = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                streams::freeze_below();
                next(panic);
            }));
        });
        let now = Now { story, has_changed: true, is_over: false };
        let shared = Arc::new(Shared { now: Mutex::new(now), woken: Condvar::new() });
        let (drawn, clock) = (shared.clone(), Instant::now());
        let draw = move || drawn.draw(clock, &control);
        // Without a thread there is no picture, and a run all the same.
        let drawing = thread::Builder::new().name("picture".into()).spawn(draw).ok();
        Self { shared, clock, drawing }
    }

    /// Tells what happened, with the seconds on the picture's clock.
    pub fn tell(&self, tell: impl FnOnce(&mut Story, f64)) {
        let mut now = self.shared.now();
        tell(&mut now.story, self.clock.elapsed().as_secs_f64());
        let is_known = std::mem::replace(&mut now.has_changed, true);
        drop(now);
        // Between two drawings it is woken once: steps may be shorter than a change of threads takes.
        if !is_known {
            self.shared.woken.notify_one();
        }
    }
}

impl Drop for Live {
    /// Draws for the last time.
    fn drop(&mut self) {
        self.shared.now().is_over = true;
        self.shared.woken.notify_one();
        if let Some(drawing) = self.drawing.take() {
            let _ = drawing.join();
        }
        streams::keep_below();
    }
}

impl Shared {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self, clock: Instant, control: &Control) {
        let goes_on: Arc<AtomicBool> = Arc::default();
        #[cfg(unix)]
        let _ = signal_hook::flag::register(signal_hook::consts::SIGCONT, goes_on.clone());
        let mut now = self.now();
        loop {
            let is_over = now.is_over;
            now.has_changed = false;
            let rows = rows(&now.story, clock.elapsed().as_secs_f64(), control.is_stopping());
            drop(now);
            let drawn = Instant::now();
            if goes_on.swap(false, Relaxed) {
                // After Ctrl-Z the terminal was somebody else's.
                streams::keep_below();
            }
            streams::draw_below(rows);
            if is_over {
                return;
            }
            now = self.now();
            loop {
                let since = drawn.elapsed();
                let rest = if now.has_changed || now.is_over { QUICK } else { SLOW }.saturating_sub(since);
                if now.is_over || rest.is_zero() {
                    break;
                }
                now = self.woken.wait_timeout(now, rest).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

/// The picture as rows for the terminal there is.
fn rows(story: &Story, seconds: f64, is_stopping: bool) -> Vec<Row> {
    let (columns, rows) = Stream::Errors.size();
    let hint = match (story.standing, is_stopping) {
        (Standing::Going, false) => "Ctrl-C saves and ends",
        (Standing::Going, true) => "ending: this step is finished, and saved",
        _ => "",
    };
    // A row for the cursor, a column so that no line is broken.
    let rows = rows.saturating_sub(if rows >= MANY { 1 + LEFT } else { 1 });
    let view = View { columns: columns - 1, rows, hint, skipped: 0 };
    let has_colour = Stream::Errors.has_colour();
    let row = |line: crate::picture::Line| line.row(has_colour);
    picture(story, seconds, view).into_iter().map(row).collect()
}
