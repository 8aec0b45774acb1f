//! The elements of a page, as far as tests read them.

/// An element that opens: its name, and its attributes as they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag<'a> {
    pub name: &'a str,
    pub attributes: &'a str,
    /// The text behind it, up to the next tag.
    pub text: &'a str,
    /// Everything behind it.
    rest: &'a str,
}

impl<'a> Tag<'a> {
    /// The text in it, up to the end of an element of a name, tags inside left out.
    pub fn words(&self, end: &str) -> String {
        let end = format!("</{end}>");
        let inside = self.rest.split(end.as_str()).next().unwrap_or_default();
        let mut pieces = inside.split('<');
        let first = pieces.next().unwrap_or_default().to_owned();
        let rest = pieces.map(|piece| piece.split_once('>').map_or("", |(_, text)| text));
        let words = first + &rest.collect::<String>();
        words.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The value of an attribute.
    pub fn get(&self, attribute: &str) -> Option<&'a str> {
        let mut rest = self.attributes;
        loop {
            let (_, value) = rest.split_once(&format!("{attribute}=\""))?;
            let before = &rest[..rest.len() - value.len() - attribute.len() - 2];
            if before.is_empty() || before.ends_with(char::is_whitespace) {
                return value.split('"').next();
            }
            rest = value;
        }
    }
}

/// Elements that have no end.
const VOID: [&str; 2] = ["meta", "input"];

/// Every element that opens, in order; each is closed where it must be.
pub fn tags(html: &str) -> Vec<Tag<'_>> {
    let (mut open, mut seen): (Vec<&str>, Vec<Tag<'_>>) = (Vec::new(), Vec::new());
    let mut rest = html;
    while let Some((_, tag)) = rest.split_once('<') {
        let (tag, after) = tag.split_once('>').expect("a tag ends");
        rest = after;
        if tag.starts_with('!') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "near: {}", &after[..after.len().min(80)]);
            continue;
        }
        let inner = tag.trim_end_matches('/');
        let (name, attributes) = inner.split_once(char::is_whitespace).unwrap_or((inner, ""));
        assert_eq!(attributes.matches('"').count() % 2, 0, "{tag}");
        let is_style = name == "style";
        let text = if is_style { after.split("</style").next() } else { after.split('<').next() };
        seen.push(Tag { name, attributes, text: text.unwrap_or_default(), rest: after });
        if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
        if is_style {
            rest = &after[after.find("</style").unwrap()..];
        }
    }
    assert!(open.is_empty(), "{open:?} stay open");
    seen
}
