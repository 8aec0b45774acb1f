//! "Did you mean ...?", and how names are shown.

/// Longest name a suggestion is looked for, in bytes.
const LONGEST: usize = 40;

/// The candidate nearest to `name`, if one is near enough to be what was meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > LONGEST {
        return None;
    }
    let limit = (name.len() / 3).clamp(1, 3);
    let name = name.to_ascii_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if candidate.len() > LONGEST || candidate.len().abs_diff(name.len()) > limit {
            continue;
        }
        // Insertions, deletions, replacements, and swaps of neighbours.
        let distance = strsim::osa_distance(&name, &candidate.to_ascii_lowercase());
        if distance <= limit && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// `name`, or its beginning where it is too long for a message.
pub(crate) fn shown(name: &str) -> String {
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_string(),
    }
}

/// Names in backticks, with commas and an "or": "`a`, `b` or `c`".
pub(crate) fn either<S: AsRef<str>>(names: &[S]) -> String {
    joined(names, "or")
}

/// Names in backticks, with commas and an "and".
pub(crate) fn all<S: AsRef<str>>(names: &[S]) -> String {
    joined(names, "and")
}

fn joined<S: AsRef<str>>(names: &[S], word: &str) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} {word} {last}", rest.join(", ")),
    }
}

/// A help out of a suggestion and all candidates.
pub(crate) fn help(suggestion: Option<&str>, candidates: &[String]) -> String {
    match (suggestion, candidates) {
        (Some(name), []) => format!("did you mean `{name}`?"),
        (Some(name), all) => format!("did you mean `{name}`? Known: {}", list(all)),
        (None, []) => "there is none to choose from".into(),
        (None, all) => format!("use one of {}", list(all)),
    }
}

fn list(candidates: &[String]) -> String {
    const MOST: usize = 24;
    let mut names: Vec<_> = candidates.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    if candidates.len() > MOST {
        names.push(format!("and {} more", candidates.len() - MOST));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let words = ["independent", "tied", "frozen"];
        assert_eq!(nearest("independant", words), Some("independent"));
        assert_eq!(nearest("teid", words), Some("tied"));
        assert_eq!(nearest("FROZEN", words), Some("frozen"));
        assert_eq!(nearest("banana", words), None);
        assert_eq!(nearest("k", ["iter", "kv"]), Some("kv"));
        assert_eq!(nearest(&"x".repeat(1000), words), None);
    }
}
