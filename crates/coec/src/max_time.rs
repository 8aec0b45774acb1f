//! How long a run may take, as people and batch systems write it.

use std::time::Duration;

/// A time limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxTime(pub Duration);

/// Units by their letter, in seconds.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

impl MaxTime {
    /// `90` seconds, `90m`, `3h55m`, `2d`; or `MM:SS`, `HH:MM:SS` and `D-HH:MM:SS`, as Slurm prints them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let seconds = if text.contains(':') { clock(text) } else { units(text) };
        match seconds {
            Some(0) | None => {
                Err("not a time: seconds, or for example 90m, 3h55m, 2d, 03:55:00, 1-12:00:00".into())
            }
            Some(seconds) => Ok(Self(Duration::from_secs(seconds))),
        }
    }
}

/// `3h55m`, each unit at most once, the larger first; a bare number is seconds.
fn units(text: &str) -> Option<u64> {
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let (mut rest, mut total) = (text, 0u64);
    for (letter, seconds) in UNITS {
        if let Some((number, after)) = rest.split_once(letter) {
            total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(seconds)?)?;
            rest = after;
        }
    }
    (rest.is_empty() && !text.is_empty()).then_some(total)
}

fn clock(text: &str) -> Option<u64> {
    let (days, text) = match text.split_once('-') {
        Some((days, text)) => (days.parse().ok()?, text),
        None => (0u64, text),
    };
    let parts: Vec<u64> = text.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let parts = match parts.as_slice() {
        [minutes, seconds] => [0, *minutes, *seconds],
        [hours, minutes, seconds] => [*hours, *minutes, *seconds],
        _ => return None,
    };
    let seconds = parts.iter().try_fold(0u64, |sum, part| sum.checked_mul(60)?.checked_add(*part))?;
    days.checked_mul(86_400)?.checked_add(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        MaxTime::parse(text).ok().map(|time| time.0.as_secs())
    }

    #[test]
    fn times_are_read_as_people_and_batch_systems_write_them() {
        for (text, expected) in [
            ("90", 90),
            ("90s", 90),
            ("90m", 5400),
            ("3h55m", 14_100),
            ("1d2h3m4s", 93_784),
            ("05:30", 330),
            ("03:55:00", 14_100),
            ("1-12:00:00", 129_600),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "0", "h", "5x", "5m3h", "-5", "1.5h", "1:2:3:4", "99999999999999999999d", ":"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
