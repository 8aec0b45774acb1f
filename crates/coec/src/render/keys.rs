//! Keys, as a picture that fills the terminal reads them.

/// What a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Quit,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
}

/// What somebody typed; keys that mean nothing are left out.
#[cfg_attr(not(unix), allow(dead_code))]
fn keys_of(mut typed: &[u8]) -> Vec<Key> {
    const KNOWN: [(&[u8], Key); 17] = [
        (b"q", Key::Quit),
        (b"Q", Key::Quit),
        (b"k", Key::Up),
        (b"\x1b[A", Key::Up),
        (b"\x1bOA", Key::Up),
        (b"j", Key::Down),
        (b"\x1b[B", Key::Down),
        (b"\x1bOB", Key::Down),
        (b"\x1b[5~", Key::PageUp),
        (b" ", Key::PageDown),
        (b"\x1b[6~", Key::PageDown),
        (b"g", Key::Home),
        (b"\x1b[H", Key::Home),
        (b"\x1b[1~", Key::Home),
        (b"G", Key::End),
        (b"\x1b[F", Key::End),
        (b"\x1b[4~", Key::End),
    ];
    let mut keys = Vec::new();
    while !typed.is_empty() {
        let known = KNOWN.iter().find(|(code, _)| typed.starts_with(code));
        let length = match known {
            Some((code, key)) => {
                keys.push(*key);
                code.len()
            }
            None if typed.starts_with(b"\x1b[") || typed.starts_with(b"\x1bO") => {
                // Another key: its code ends with a letter or a tilde.
                let end = typed[2..].iter().position(|byte| (0x40..0x7f).contains(byte));
                end.map_or(typed.len(), |end| end + 3)
            }
            None => 1,
        };
        typed = &typed[length..];
    }
    keys
}

#[cfg(unix)]
mod system {
    use std::io;
    use std::thread;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::termios::{LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcsetattr};

    use super::{Key, keys_of};

    /// The terminal that keys are typed in: they come at once and are not shown. Signals stay signals.
    #[derive(Debug)]
    pub struct Keyboard {
        /// How it was set before; `None` if the input is no terminal.
        before: Option<Termios>,
    }

    impl Keyboard {
        /// Makes keys come.
        pub fn open() -> Self {
            let before = isatty(io::stdin()).then(|| tcgetattr(io::stdin()).ok()).flatten();
            let keyboard = Self { before };
            keyboard.begin();
            keyboard
        }

        /// Makes keys come again, after somebody else had the terminal.
        pub fn begin(&self) {
            if let Some(before) = &self.before {
                let mut settings = before.clone();
                settings.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
                let _ = tcsetattr(io::stdin(), OptionalActions::Now, &settings);
            }
        }

        /// Sets the terminal as it was.
        pub fn end(&self) {
            if let Some(before) = &self.before {
                let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
            }
        }

        /// Keys that are typed within some time; none sooner, if a signal comes.
        pub fn wait(&self, time: Duration) -> Vec<Key> {
            let input = io::stdin();
            if self.before.is_none() {
                thread::sleep(time);
                return Vec::new();
            }
            let mut waits = [PollFd::new(&input, PollFlags::IN)];
            let time = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() };
            let mut typed = [0; 256];
            match poll(&mut waits, Some(&time)) {
                Ok(1..) => match rustix::io::read(&input, &mut typed) {
                    Ok(length @ 1..) => keys_of(&typed[..length]),
                    // Nobody can type any more.
                    _ => vec![Key::Quit],
                },
                _ => Vec::new(),
            }
        }
    }
}

#[cfg(not(unix))]
mod system {
    use std::thread;
    use std::time::Duration;

    use super::Key;

    /// A terminal whose keys come a line at a time, and are not read.
    #[derive(Debug)]
    pub struct Keyboard;

    impl Keyboard {
        pub fn open() -> Self {
            Self
        }

        pub fn begin(&self) {}

        pub fn end(&self) {}

        pub fn wait(&self, time: Duration) -> Vec<Key> {
            thread::sleep(time);
            Vec::new()
        }
    }
}

pub use system::Keyboard;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_by_their_codes() {
        assert_eq!(keys_of(b"jk\x1b[A\x1bOBq"), [Key::Down, Key::Up, Key::Up, Key::Down, Key::Quit]);
        // F5, shifted left, an umlaut, and half a code.
        assert_eq!(keys_of(b"\x1b[15~\x1b[1;2D\xc3\xa4\x1b["), []);
        assert_eq!(keys_of(b"\x1b[6~\x1b"), [Key::PageDown]);
    }
}
