//! A picture that fills the terminal, and leaves it as it was.

use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use super::{below::Row, keys::Keyboard, streams::draw, terminal::Stream};

pub use super::keys::Key;

/// Another screen without a cursor, and back.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l";
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";

/// Begins and ends what a terminal shows at once.
const BEGIN: &str = "\u{1b}[?2026h";
const END: &str = "\u{1b}[?2026l";

/// The keyboard of the screen that is open: a panic must give it back, wherever it happens.
static OPEN: Mutex<Option<Keyboard>> = Mutex::new(None);

/// The screen, on the output. Dropped, it is left.
#[derive(Debug)]
pub struct FullScreen {
    rows: Vec<Row>,
    size: (usize, usize),
}

impl FullScreen {
    /// Takes the terminal.
    pub fn enter() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let next = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                leave();
                next(panic);
            }));
        });
        *open() = Some(Keyboard::open());
        draw(ENTER);
        Self { rows: Vec::new(), size: (0, 0) }
    }

    /// Columns and rows there are.
    pub fn size(&self) -> (usize, usize) {
        Stream::Output.size()
    }

    /// Shows `rows`, from the top. What did not change is not drawn again.
    pub fn show(&mut self, rows: Vec<Row>) {
        let mut out = String::from(BEGIN);
        let size = self.size();
        if size != self.size || rows.len() < self.rows.len() {
            out.push_str("\u{1b}[2J");
            self.rows.clear();
            self.size = size;
        }
        for (place, row) in rows.iter().enumerate() {
            if self.rows.get(place) != Some(row) {
                out.push_str(&format!("\u{1b}[{};1H{}\u{1b}[K", place + 1, row.text));
            }
        }
        if out != BEGIN {
            out.push_str(END);
            draw(&out);
        }
        self.rows = rows;
    }

    /// Keys that are typed within some time.
    pub fn keys(&self, time: Duration) -> Vec<Key> {
        match &*open() {
            Some(keyboard) => keyboard.wait(time),
            None => Vec::new(),
        }
    }

    /// Gives the terminal back while `away` goes on, and takes it again.
    pub fn away(&mut self, away: impl FnOnce()) {
        draw(LEAVE);
        let keyboard = |act: fn(&Keyboard)| open().as_ref().map(act);
        keyboard(Keyboard::end);
        away();
        keyboard(Keyboard::begin);
        draw(ENTER);
        self.size = (0, 0);
    }
}

impl Drop for FullScreen {
    fn drop(&mut self) {
        leave();
    }
}

/// Gives the terminal back, if it was taken.
fn leave() {
    // Somebody who waits for keys and panics holds it; then there is nothing to be done.
    if let Ok(mut open) = OPEN.try_lock()
        && let Some(keyboard) = open.take()
    {
        draw(LEAVE);
        keyboard.end();
    }
}

fn open() -> std::sync::MutexGuard<'static, Option<Keyboard>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}
