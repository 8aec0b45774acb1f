//! Markdown, as far as this project's pages use it, as calm plain text.

/// The columns by which examples stand in from the prose around them.
const INDENT: &str = "    ";

/// A page: paragraphs filled to `width` columns, examples set in and named by what they are.
pub fn page(markdown: &str, width: usize) -> String {
    let mut out = String::new();
    // Fences come in pairs: every second part is an example.
    for (i, part) in markdown.split("```").enumerate() {
        if i % 2 == 0 {
            for paragraph in part.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
                out.push_str(&filled(&without_links(paragraph), width, 0, 0));
                out.push_str("\n\n");
            }
        } else {
            out.push_str(&example(part));
        }
    }
    out.trim_end().to_string()
}

/// An example: its mark says whether it is a spec in error, a spec, or something printed.
fn example(fenced: &str) -> String {
    let (mark, text) = fenced.split_once('\n').unwrap_or(("", fenced));
    let title = match mark.trim() {
        "coe,fail" => Some("This fails:"),
        "coe" => Some("This works:"),
        _ => None,
    };
    let mut out = title.map(|title| format!("{title}\n\n")).unwrap_or_default();
    // The code that a failing spec opens with is that of the page.
    for line in text.trim_end().lines().filter(|line| !line.starts_with("// error: ")) {
        out.push_str(format!("{INDENT}{line}").trim_end());
        out.push('\n');
    }
    out.push('\n');
    out
}

/// `[text](target)` as `text`: a terminal leads nowhere.
fn without_links(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        out.push_str(before);
        match link.split_once("](").and_then(|(name, after)| Some((name, after.split_once(')')?.1))) {
            Some((name, after)) if !name.contains(']') => {
                out.push_str(name);
                rest = after;
            }
            _ => {
                out.push('[');
                rest = link;
            }
        }
    }
    out + rest
}

/// Words in lines of at most `width` columns, the first `start` of which are taken on the first
/// line, and left free on the others by `hanging`.
pub fn filled(text: &str, width: usize, start: usize, hanging: usize) -> String {
    let taken = " ".repeat(start);
    let hanging = " ".repeat(hanging);
    let options = textwrap::Options::new(width)
        .initial_indent(&taken)
        .subsequent_indent(&hanging)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit)
        .break_words(true);
    let words: Vec<&str> = text.split_whitespace().collect();
    let lines = textwrap::fill(&words.join(" "), options);
    lines.strip_prefix(&taken).unwrap_or(&lines).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_for_a_terminal() {
        let text = "One [link](a.md) and `code[0]`,\nfilled.\n\n```coe,fail\n// error: coec::a::b\nmodel a { }\n```\n\nDo.";
        assert_eq!(
            page(text, 100),
            "One link and `code[0]`, filled.\n\nThis fails:\n\n    model a { }\n\nDo."
        );
    }

    #[test]
    fn lines_are_filled_and_hang() {
        let words = "word ".repeat(40);
        let lines = filled(&words, 60, 10, 12);
        assert!(lines.lines().count() > 1);
        for (i, line) in lines.lines().enumerate() {
            assert!(line.chars().count() + if i == 0 { 10 } else { 0 } <= 60);
            assert_eq!(line.starts_with(&" ".repeat(12)), i > 0);
        }
    }
}
