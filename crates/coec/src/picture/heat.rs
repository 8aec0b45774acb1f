//! How much each expert has to do: a row for each layer and iteration, a column for each expert.

use std::collections::BTreeMap;

use super::line::{Ink, Line};

/// Loads by layer and iteration.
pub type Loads = BTreeMap<(usize, usize, usize), Vec<u64>>;

/// How dark a load is, as a multiple of what each expert would have if all had the same; the last one is for
/// all above. Darkness says it without colours.
const SHADES: [(f64, char, Ink); 5] = [
    (0.0, '·', Ink::Bad),
    (0.5, '░', Ink::Plain),
    (1.5, '▒', Ink::Plain),
    (2.5, '▓', Ink::Plain),
    (f64::INFINITY, '█', Ink::Warm),
];

/// Columns between two rows that stand side by side.
const BETWEEN: usize = 3;

/// How a map is laid out in the room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Columns that the experts of one row take.
    cells: usize,
    /// Columns that one expert, or one group of neighbours, takes.
    wide: usize,
    /// Rows that stand side by side.
    side_by_side: usize,
    label: usize,
}

impl Layout {
    /// The layout of `loads` in `width` columns and, if that can be, `rows` rows; `None` if there are none.
    pub fn of(loads: &Loads, width: usize, rows: usize) -> Option<Self> {
        let experts = loads.values().map(Vec::len).max().filter(|&experts| experts > 0)?;
        let label = loads.keys().map(|key| label(*key).len()).max().unwrap_or(0);
        let room = width.saturating_sub(label + 1 + 1 + NOTE).max(1);
        let layout = |wide: usize| {
            let cells = (wide * experts).min(room);
            let row = label + 1 + cells + 1 + NOTE;
            let side_by_side = ((width + BETWEEN) / (row + BETWEEN)).clamp(1, loads.len());
            Self { cells, wide, side_by_side, label }
        };
        // Cells as wide as they are high look best, and narrow ones leave room for more beside each other.
        let broad = Some(layout(2)).filter(|broad| 2 * experts <= room && broad.rows(loads) <= rows);
        Some(broad.unwrap_or_else(|| layout(1)))
    }

    /// Rows that all of `loads` take.
    pub fn rows(&self, loads: &Loads) -> usize {
        loads.len().div_ceil(self.side_by_side)
    }

    /// Experts in a column.
    pub fn grouped(&self, experts: usize) -> usize {
        experts.div_ceil((self.cells / self.wide).max(1))
    }
}

/// Columns of what is said behind a row.
const NOTE: usize = 13;

/// `layer.iteration`, and for a layer that had run before in a loop `layer+pass.iteration`.
fn label((layer, pass, iteration): (usize, usize, usize)) -> String {
    if pass == 0 { format!("{layer}.{iteration}") } else { format!("{layer}+{pass}.{iteration}") }
}

/// The map in at most `rows` rows, the first `skipped` of all left out.
pub fn map(loads: &Loads, layout: Layout, rows: usize, skipped: usize) -> Vec<Line> {
    let all: Vec<Line> = loads.iter().map(|(key, counts)| row(*key, counts, layout)).collect();
    let high = layout.rows(loads);
    let line = |row: usize| {
        let beside = (0..layout.side_by_side).filter_map(|column| all.get(column * high + row));
        beside.enumerate().fold(Line::default(), |line, (column, next)| {
            let gap = if column == 0 { 0 } else { BETWEEN };
            line.with(Ink::Plain, " ".repeat(gap)).and(next.clone())
        })
    };
    (skipped.min(high.saturating_sub(rows))..high).take(rows).map(line).collect()
}

fn row(key: (usize, usize, usize), counts: &[u64], layout: Layout) -> Line {
    let columns = (layout.cells / layout.wide).max(1);
    let even = counts.iter().sum::<u64>() as f64 / counts.len().max(1) as f64;
    let times = |count: f64| if even > 0.0 { count / even } else { 0.0 };
    let in_column = counts.len().div_ceil(columns).max(1);
    let start = Line::of(Ink::Dim, format!("{:>1$} ", label(key), layout.label));
    let map = counts.chunks(in_column).fold(start, |line, group| {
        let mean = group.iter().sum::<u64>() as f64 / group.len() as f64;
        let (char, ink) = shade(times(mean));
        line.with(ink, char.to_string().repeat(layout.wide))
    });
    let map = map.padded(layout.label + 1 + layout.cells);
    let most = times(counts.iter().max().copied().unwrap_or(0) as f64);
    let idle = counts.iter().filter(|&&count| count == 0).count();
    let note = Line::of(if most > 2.5 { Ink::Warm } else { Ink::Dim }, format!(" {most:.1}×"));
    let note = match idle {
        0 => note,
        idle => note.with(Ink::Bad, format!(" {idle} idle")),
    };
    map.and(note.padded(NOTE + 1))
}

fn shade(times: f64) -> (char, Ink) {
    let found = SHADES.iter().find(|(most, ..)| times <= *most).unwrap_or(&SHADES[4]);
    (found.1, found.2)
}

/// What the shades mean, in full or short.
pub fn legend(width: usize) -> Line {
    let words = ["none", "to ½", "to 1½", "to 2½", "more"];
    let full = SHADES.iter().zip(words).fold(Line::default(), |line, ((_, char, ink), words)| {
        line.with(*ink, *char).with(Ink::Dim, format!(" {words}  "))
    });
    let full = full.with(Ink::Dim, "times an even share");
    match full.width() <= width {
        true => full,
        false => Line::of(Ink::Dim, "· none ░ ½ ▒ 1½ ▓ 2½ █ more").cut(width),
    }
}

/// The largest load of all as a multiple of an even one, and how many experts have nothing to do.
pub fn worst(loads: &Loads) -> (f64, usize) {
    let of = |counts: &Vec<u64>| {
        let even = counts.iter().sum::<u64>() as f64 / counts.len().max(1) as f64;
        let most = counts.iter().max().copied().unwrap_or(0) as f64;
        (if even > 0.0 { most / even } else { 0.0 }, counts.iter().filter(|&&count| count == 0).count())
    };
    loads.values().map(of).fold((0.0, 0), |(most, idle), (other, more)| (most.max(other), idle + more))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loads(rows: usize, counts: &[u64]) -> Loads {
        (0..rows).map(|row| ((row / 2, 0, row % 2), counts.to_vec())).collect()
    }

    fn text(loads: &Loads, width: usize, rows: usize) -> Vec<String> {
        let layout = Layout::of(loads, width, rows).unwrap();
        map(loads, layout, rows, 0).iter().map(Line::plain).collect()
    }

    #[test]
    fn loads_are_shades_of_an_even_share() {
        let loads = loads(1, &[0, 10, 100, 200, 40, 440, 110, 100]);
        assert_eq!(text(&loads, 40, 9), ["0.0 ··░░▒▒▓▓░░██▒▒▒▒ 3.5× 1 idle"]);
        assert_eq!(worst(&loads), (3.52, 1));
    }

    #[test]
    fn rows_stand_side_by_side_where_there_is_room() {
        let loads = loads(4, &[1, 1, 1, 1]);
        let row = |name: &str| format!("{name} ▒▒▒▒▒▒▒▒ 1.0×");
        assert_eq!(text(&loads, 30, 9), [row("0.0"), row("0.1"), row("1.0"), row("1.1")]);
        let gap = " ".repeat(12);
        let beside = |a: &str, b: &str| format!("{}{gap}{}", row(a), row(b));
        assert_eq!(text(&loads, 60, 9), [beside("0.0", "1.0"), beside("0.1", "1.1")]);
        assert_eq!(text(&loads, 23, 2), ["0.0 ▒▒▒▒ 1.0×", "0.1 ▒▒▒▒ 1.0×"]);
    }

    #[test]
    fn neighbours_share_a_column_where_there_are_too_many() {
        let loads = loads(1, &[8; 256]);
        let layout = Layout::of(&loads, 60, 9).unwrap();
        assert_eq!(layout.grouped(256), 7);
        assert_eq!(text(&loads, 60, 9), [format!("0.0 {} 1.0×", "▒".repeat(37).to_owned() + "     ")]);
    }

    #[test]
    fn nothing_selected_is_idle_and_no_division() {
        assert_eq!(text(&loads(1, &[0, 0]), 40, 9), ["0.0 ···· 0.0× 2 idle"]);
        assert_eq!(Layout::of(&Loads::new(), 40, 9), None);
    }
}
