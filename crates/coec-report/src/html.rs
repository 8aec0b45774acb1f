//! Text as HTML holds it, and the few elements that every section is made of.

/// A text, or the value of an attribute. Control characters, which HTML cannot hold, are shown as such.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            // Those that turn the direction of the rest of a line: what it says could be made to look
            // otherwise.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push('\u{fffd}'),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A text, or its beginning where it has more than `most` characters.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

/// A paragraph about something that is not there.
pub fn missing(text: &str) -> String {
    format!("<p class=\"missing\">{}</p>\n", escape(text))
}

/// Something that is folded away until it is asked for; `summary` is HTML. It prints unfolded.
pub fn folded(summary: &str, body: &str, open: bool) -> String {
    let open = if open { " open" } else { "" };
    format!("<details{open}><summary>{summary}</summary>\n{body}</details>\n")
}

/// A long list to look something up in; it prints folded.
pub fn long_list(summary: &str, body: &str) -> String {
    format!("<details class=\"list\"><summary>{summary}</summary>\n{body}</details>\n")
}

/// Several things side by side, where there is room.
pub fn beside(parts: &[String]) -> String {
    format!("<div class=\"beside\">\n{}</div>\n", parts.concat())
}

/// A list of definitions; both sides are HTML.
pub fn definitions(pairs: &[(String, String)]) -> String {
    let rows: String =
        pairs.iter().map(|(term, is)| format!("<div><dt>{term}</dt><dd>{is}</dd></div>\n")).collect();
    format!("<dl class=\"facts\">\n{rows}</dl>\n")
}

/// A list of several names in words: `a, b and 3 more`.
pub fn listed(names: &[String], most: usize) -> String {
    match names.len().checked_sub(most) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..most].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        assert_eq!(
            escape("<a b='c'>&\"\u{0}\u{202e}\n"),
            "&lt;a b=&#39;c&#39;&gt;&amp;&quot;\u{fffd}\u{fffd}\n"
        );
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!((cut("äöü", 3), cut("äöü", 2)), ("äöü".into(), "äö…".into()));
    }

    #[test]
    fn names_are_listed_up_to_a_number() {
        let names = ["a", "b", "c"].map(String::from);
        assert_eq!((listed(&names, 3), listed(&names, 2)), ("a, b, c".into(), "a, b and 1 more".into()));
    }
}
