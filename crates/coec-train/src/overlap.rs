//! Where one text may begin inside another.

/// Bytes at the end of `text` with which `pattern` begins: as many as there are, but not all of it.
pub fn overlap(text: &str, pattern: &str) -> usize {
    let longest = text.len().min(pattern.len().saturating_sub(1));
    let begins = |&length: &usize| pattern.as_bytes().starts_with(&text.as_bytes()[text.len() - length..]);
    (1..=longest).rev().find(begins).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::overlap;

    #[test]
    fn the_longest_beginning_counts_and_never_all_of_it() {
        assert_eq!(overlap("aab", "abc"), 2);
        assert_eq!(overlap("aaa", "aab"), 2);
        assert_eq!(overlap("abc", "abc"), 0);
        assert_eq!(overlap("xé", "éa"), 2);
        assert_eq!((overlap("", "a"), overlap("a", ""), overlap("b", "a")), (0, 0, 0));
    }
}
