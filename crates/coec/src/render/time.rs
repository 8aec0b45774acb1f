//! Spans of time for people.

/// Seconds in the two largest units that say enough: `49 s`, `3 min`, `1 h 20 min`, `2 d 3 h`.
pub fn span(seconds: f64) -> String {
    let seconds = seconds.round().max(0.0) as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..3600 => format!("{minutes} min"),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn spans_read_well() {
        let spans = [0.4, 49.0, 119.4, 200.0, 4800.0, 90_000.0, -3.0].map(span);
        assert_eq!(spans, ["0 s", "49 s", "119 s", "3 min", "1 h 20 min", "1 d 1 h", "0 s"]);
    }
}
