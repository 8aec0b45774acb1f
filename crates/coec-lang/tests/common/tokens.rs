//! A reading of tokens and comments that shares nothing with the formatter.

/// What formatting keeps of a text.
pub struct Shape {
    /// Without commas in front of closing brackets.
    pub tokens: Vec<String>,
    pub comments: Vec<Noted>,
}

/// A comment and its place.
#[derive(Debug)]
pub struct Noted {
    pub text: String,
    /// Behind how many tokens it stands. Commas do not count: they go directly behind what they follow.
    pub behind: usize,
    /// For a `//`, whether it has its line to itself; `None` where that may change.
    pub is_alone: Option<bool>,
}

impl PartialEq for Noted {
    fn eq(&self, other: &Self) -> bool {
        let alike = self.is_alone.is_none() || other.is_alone.is_none() || self.is_alone == other.is_alone;
        self.text == other.text && self.behind == other.behind && alike
    }
}

/// A token or a comment, and whether a line begins with it.
struct Piece<'t> {
    text: &'t str,
    is_comment: bool,
    begins_line: bool,
}

pub fn shape(text: &str) -> Shape {
    let pieces = pieces(text);
    let mut shape = Shape { tokens: Vec::new(), comments: Vec::new() };
    let mut behind = 0;
    // A comma at the start of a line, or behind a comment, is pulled back over what stands between;
    // the comment behind it then has a line of its own.
    let mut follows_odd_comma = false;
    let mut is_first_on_line = true;
    for (i, piece) in pieces.iter().enumerate() {
        is_first_on_line = piece.begins_line || (is_first_on_line && i > 0 && pieces[i - 1].is_comment);
        if !piece.is_comment {
            let after_comment = i > 0 && pieces[i - 1].is_comment;
            follows_odd_comma = piece.text == "," && (piece.begins_line || after_comment);
            if piece.text != "," {
                behind += 1;
            }
            shape.tokens.push(piece.text.to_string());
            continue;
        }
        let is_alone = (piece.text.starts_with("//") && !follows_odd_comma).then_some(is_first_on_line);
        let text = piece.text.replace("\r\n", "\n");
        shape.comments.push(Noted { text, behind, is_alone });
    }
    let closes = |token: &String| token == ")" || token == "]";
    let tokens = std::mem::take(&mut shape.tokens);
    let is_trailing = |i: usize| tokens[i] == "," && tokens.get(i + 1).is_some_and(closes);
    shape.tokens = (0..tokens.len()).filter(|&i| !is_trailing(i)).map(|i| tokens[i].clone()).collect();
    shape
}

pub fn tokens(text: &str) -> Vec<&str> {
    pieces(text).into_iter().filter(|piece| !piece.is_comment).map(|piece| piece.text).collect()
}

pub fn comments(text: &str) -> Vec<&str> {
    pieces(text).into_iter().filter(|piece| piece.is_comment).map(|piece| piece.text).collect()
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut begins_line = true;
    while let Some(first) = rest.chars().next() {
        if [' ', '\t', '\r', '\n', '\u{feff}'].contains(&first) {
            begins_line |= first == '\n';
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let is_comment = rest.starts_with("//") || rest.starts_with("/*");
        let length = length(rest);
        let mut piece = &rest[..length];
        if piece.starts_with("//") {
            let is_doc = piece.starts_with("///") && !piece.starts_with("////");
            piece =
                if is_doc { piece.trim_end_matches('\r') } else { piece.trim_end_matches([' ', '\t', '\r']) };
        }
        pieces.push(Piece { text: piece, is_comment, begins_line });
        begins_line = false;
        rest = &rest[length..];
    }
    pieces
}

/// How long the token or comment is that a text begins with.
fn length(text: &str) -> usize {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = |text: &str, of: &dyn Fn(char) -> bool| text.find(|c| !of(c)).unwrap_or(text.len());
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if let Some(inside) = text.strip_prefix("/*") {
        return inside.find("*/").map_or(text.len(), |n| n + 4);
    }
    if let Some(inside) = text.strip_prefix('"') {
        let mut escaped = false;
        for (i, c) in inside.char_indices() {
            match c {
                '"' if !escaped => return i + 2,
                _ => escaped = c == '\\' && !escaped,
            }
        }
        return text.len();
    }
    if let Some(mark) = ["<=", ">=", "==", "+-", ".."].iter().find(|&&mark| text.starts_with(mark)) {
        return mark.len();
    }
    let number = text.strip_prefix('-').unwrap_or(text);
    if number.starts_with(|c: char| c.is_ascii_digit()) {
        return text.len() - number.len() + number_length(number);
    }
    if text.starts_with(word) {
        return end(text, &|c| word(c) || c == '.');
    }
    text.chars().next().map_or(0, char::len_utf8)
}

fn number_length(text: &str) -> usize {
    let digits =
        |from: usize| text[from..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |n| from + n);
    let mut end = digits(0);
    if text[end..].starts_with('.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        if digits(end + 1 + sign) > end + 1 + sign {
            end = digits(end + 1 + sign);
        }
    }
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    end = text[end..].find(word).map_or(text.len(), |n| end + n);
    if text[end..].starts_with('%') { end + 1 } else { end }
}
