//! A text as it is laid out: tokens, the lists and blocks they form, and the gaps between them.

use super::gap::{Comment, Gap};

/// Tokens that are read from left to right; only lists in them break over lines.
#[derive(Debug, Default)]
pub(super) struct Run<'t> {
    pub parts: Vec<Part<'t>>,
}

#[derive(Debug)]
pub(super) enum Part<'t> {
    /// A token, as it is spelt.
    Text(&'t str),
    /// A blank.
    Space,
    /// Comments at a place where hardly anyone writes one.
    Gap(Box<Gap<'t>>),
    /// Arguments, or a list.
    List(Box<List<'t>>),
}

/// `(a, b=1)` or `[1, 2]`.
#[derive(Debug)]
pub(super) struct List<'t> {
    pub open: &'t str,
    pub close: &'t str,
    pub elements: Vec<Element<'t>>,
    /// What stands in front of the closing bracket.
    pub end: Gap<'t>,
    /// Columns it takes on one line; `None` if it cannot stand on one.
    pub width: Option<usize>,
    /// Whether comments in it end lines or have lines of their own.
    pub commented: bool,
}

/// An argument, or an entry of a list, with the gap in front of it.
#[derive(Debug)]
pub(super) struct Element<'t> {
    pub gap: Gap<'t>,
    pub run: Run<'t>,
    pub width: Option<usize>,
    pub kind: Kind,
    /// Whether it begins a line of a list that does not fit on one.
    pub begins_line: bool,
}

/// What a value is, for deciding which elements share a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Numbers, strings, lists of them.
    Literal,
    /// Words without arguments, lists of them.
    Word,
    /// Words with arguments, lists of them.
    Block,
}

/// A field, a rule, a `let`, a block on its own: what begins a line.
#[derive(Debug)]
pub(super) struct Entry<'t> {
    pub gap: Gap<'t>,
    pub cells: Vec<Cell<'t>>,
}

/// A piece of an entry that begins at a mark which may be aligned with that of its neighbours.
#[derive(Debug)]
pub(super) struct Cell<'t> {
    pub mark: Option<Mark>,
    pub run: Run<'t>,
    pub width: Option<usize>,
}

/// The marks that stand in columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// `=`, or a rule's comparison.
    Relation,
    /// `@`.
    Conditions,
}

/// `model`, `budget` or `train` with its braces.
#[derive(Debug)]
pub(super) struct Braced<'t> {
    pub gap: Gap<'t>,
    /// Everything up to the opening brace, itself included.
    pub header: Run<'t>,
    pub entries: Vec<Entry<'t>>,
    pub end: Gap<'t>,
    /// Whether it may stay on one line, as it is written.
    pub on_one_line: bool,
}

#[derive(Debug)]
pub(super) enum Item<'t> {
    Braced(Braced<'t>),
    Entry(Entry<'t>),
}

impl<'t> Item<'t> {
    pub fn gap(&self) -> &Gap<'t> {
        match self {
            Self::Braced(block) => &block.gap,
            Self::Entry(entry) => &entry.gap,
        }
    }

    pub fn as_entry(&self) -> Option<&Entry<'t>> {
        match self {
            Self::Braced(_) => None,
            Self::Entry(entry) => Some(entry),
        }
    }
}

impl Braced<'_> {
    /// Columns on one line; `None` if it cannot stand on one.
    pub fn width_on_one_line(&self) -> Option<usize> {
        let mut width = self.header.width()? + comments(&self.end.comments) + 2;
        for entry in &self.entries {
            width += entry.gap.is_inline().then(|| entry.width())?? + 1;
        }
        self.end.is_inline().then_some(width)
    }
}

/// All of a text.
#[derive(Debug)]
pub(super) struct File<'t> {
    pub items: Vec<Item<'t>>,
    pub end: Gap<'t>,
}

impl<'t> Run<'t> {
    /// Columns on one line; `None` if it cannot stand on one.
    pub fn width(&self) -> Option<usize> {
        self.parts.iter().map(Part::width).sum()
    }
}

impl Part<'_> {
    fn width(&self) -> Option<usize> {
        match self {
            Self::Text(text) => Some(text.chars().count()),
            Self::Space => Some(1),
            Self::Gap(gap) if gap.is_inline_inside() => Some(comments(&gap.comments) + 1),
            Self::Gap(_) => None,
            Self::List(list) => list.width,
        }
    }
}

impl<'t> List<'t> {
    pub fn new(open: &'t str, close: &'t str, elements: Vec<Element<'t>>, end: Gap<'t>) -> Self {
        let commented = !end.is_inline() || elements.iter().any(|element| !element.gap.is_inline());
        let mut list = Self { open, close, elements, end, width: None, commented };
        list.group();
        if !commented {
            list.width = list.columns();
        }
        list
    }

    /// Decides which elements begin a line: a block and what follows it, and the words behind
    /// the last number. `q_rank=none` stays among the numbers it stands between.
    fn group(&mut self) {
        let mut literal_follows = false;
        for i in (1..self.elements.len()).rev() {
            let (above, kind) = (self.elements[i - 1].kind, self.elements[i].kind);
            self.elements[i].begins_line = match kind {
                Kind::Block => true,
                Kind::Literal => above == Kind::Block,
                Kind::Word => above == Kind::Block || (above == Kind::Literal && !literal_follows),
            };
            literal_follows = kind == Kind::Literal || (kind == Kind::Word && literal_follows);
        }
    }

    /// The gap behind an element.
    pub fn gap_behind(&self, element: usize) -> &Gap<'t> {
        self.elements.get(element + 1).map_or(&self.end, |next| &next.gap)
    }

    fn columns(&self) -> Option<usize> {
        let mut columns = 2 + comments(&self.end.comments);
        for (i, element) in self.elements.iter().enumerate() {
            columns += if i > 0 { 2 } else { 0 } + comments(&element.gap.comments) + element.width?;
        }
        Some(columns)
    }
}

impl<'t> Element<'t> {
    pub fn new(gap: Gap<'t>, run: Run<'t>, kind: Kind) -> Self {
        let width = run.width();
        Self { gap, run, width, kind, begins_line: false }
    }
}

impl<'t> Cell<'t> {
    pub fn new(mark: Option<Mark>, run: Run<'t>) -> Self {
        let width = run.width();
        Self { mark, run, width }
    }
}

impl Entry<'_> {
    /// Columns on one line, comments in front included.
    pub fn width(&self) -> Option<usize> {
        let cells: Option<usize> = self.cells.iter().map(|cell| cell.width).sum();
        Some(self.lead()? + cells?)
    }

    /// Columns of the comments in front.
    pub fn lead(&self) -> Option<usize> {
        let lead = self.gap.lead();
        (!lead.iter().any(Comment::is_multiline)).then(|| comments(lead))
    }
}

impl Kind {
    /// That of a list of such values.
    pub fn of_list(elements: &[Element]) -> Self {
        let has = |kind| elements.iter().any(|element| element.kind == kind);
        if has(Self::Block) {
            Self::Block
        } else if has(Self::Word) {
            Self::Word
        } else {
            Self::Literal
        }
    }
}

/// Columns of comments, with a blank for each.
pub(super) fn comments(comments: &[Comment]) -> usize {
    comments.iter().map(|comment| comment.width() + 1).sum()
}
