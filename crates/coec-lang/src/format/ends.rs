//! Line ends.

/// A text with the line ends of another, going by the first one there: a checkout that ends lines as Windows does stays one.
pub fn with_line_ends_of(other: &str, text: String) -> String {
    let is_crlf = other.split_once('\n').is_some_and(|(first, _)| first.ends_with('\r'));
    match is_crlf {
        true if text.contains('\r') => text.replace("\r\n", "\n").replace('\n', "\r\n"),
        true => text.replace('\n', "\r\n"),
        false => text,
    }
}
