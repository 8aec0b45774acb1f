//! From the parser's pieces to what is laid out. The pieces at the leaves are the tokens;
//! between them the grammar allows white space and comments alone.

use super::gap::Gap;
use super::tree::{Braced, Cell, Element, Entry, File, Item, Kind, List, Mark, Part, Run};
use crate::diagnostic::Found;
use crate::parse::{Piece, Rule, unescaped};
use crate::source::{SourceId, Span};

/// Takes the items of a text, in order.
#[derive(Debug)]
pub(super) struct Builder<'t> {
    source: SourceId,
    text: &'t str,
    /// Behind the last token.
    at: usize,
    /// Where the parser began on the current item.
    base: usize,
    items: Vec<Item<'t>>,
}

impl<'t> Builder<'t> {
    pub fn new(source: SourceId, text: &'t str) -> Self {
        Self { source, text, at: 0, base: 0, items: Vec::new() }
    }

    /// Adds an item, which the parser read from `base` on.
    pub fn item(&mut self, base: usize, piece: Piece<'t>, found: &mut Found) {
        self.base = base;
        self.check_strings(&piece, found);
        let mut gap = if self.at == 0 { Gap::at_start() } else { Gap::default() };
        self.read_gap(&mut gap, &piece);
        let item = match piece.as_rule() {
            Rule::model | Rule::budget | Rule::train | Rule::sweep => Item::Braced(self.block(gap, piece)),
            Rule::binding => Item::Entry(self.entry(gap, piece)),
            _ => {
                let mut run = Run::default();
                self.value(&mut run, piece);
                Item::Entry(Entry { gap, cells: vec![Cell::new(None, run)] })
            }
        };
        self.items.push(item);
    }

    pub fn finish(self) -> File<'t> {
        let mut end = if self.at == 0 { Gap::at_start() } else { Gap::default() };
        end.read(&self.text[self.at..]);
        File { items: self.items, end: end.end() }
    }

    /// The parser takes any escape for one.
    fn check_strings(&self, item: &Piece<'t>, found: &mut Found) {
        if !item.as_str().contains('\\') {
            return;
        }
        for piece in item.clone().into_inner().flatten().filter(|piece| piece.as_rule() == Rule::string) {
            let span = piece.as_span();
            let span = Span::new(self.source, self.base + span.start(), self.base + span.end());
            unescaped(piece.as_str(), span, found);
        }
    }

    /// Reads up to where a piece begins.
    fn read_gap(&mut self, gap: &mut Gap<'t>, piece: &Piece<'t>) {
        let start = self.base + piece.as_span().start();
        gap.read(&self.text[self.at..start]);
        self.at = start;
    }

    /// Goes behind a token, and gives its spelling.
    fn token(&mut self, leaf: &Piece<'t>) -> &'t str {
        self.at = self.base + leaf.as_span().end();
        leaf.as_str()
    }

    /// Adds a token, `between` being what separates it from the one before.
    fn add(&mut self, run: &mut Run<'t>, between: Option<Part<'t>>, leaf: &Piece<'t>) {
        self.separate(run, between, leaf);
        run.parts.push(Part::Text(self.token(leaf)));
    }

    fn separate(&mut self, run: &mut Run<'t>, between: Option<Part<'t>>, piece: &Piece<'t>) {
        let mut gap = Gap::default();
        self.read_gap(&mut gap, piece);
        if gap.comments.is_empty() {
            run.parts.extend(between);
        } else {
            run.parts.push(Part::Gap(Box::new(gap)));
        }
    }

    fn block(&mut self, gap: Gap<'t>, piece: Piece<'t>) -> Braced<'t> {
        let is_budget = piece.as_rule() == Rule::budget;
        let mut header = Run::default();
        let mut entries = Vec::new();
        let mut gap_before = Gap::default();
        let mut inside = None;
        for piece in piece.into_inner() {
            match piece.as_rule() {
                Rule::field | Rule::line | Rule::axis => {
                    self.read_gap(&mut gap_before, &piece);
                    let gap = std::mem::take(&mut gap_before);
                    entries.push(self.entry(gap, piece));
                }
                Rule::brace_close => {
                    self.read_gap(&mut gap_before, &piece);
                    self.token(&piece);
                }
                _ => {
                    let between = (!header.parts.is_empty()).then_some(Part::Space);
                    self.add(&mut header, between, &piece);
                    inside = Some(self.at);
                }
            }
        }
        let broken = self.text[inside.unwrap_or(self.at)..self.at].contains('\n');
        let on_one_line = !broken && (!is_budget || entries.len() < 2);
        Braced { gap, header, entries, end: gap_before.close(), on_one_line }
    }

    /// A field, a rule, or a `let`.
    fn entry(&mut self, gap: Gap<'t>, piece: Piece<'t>) -> Entry<'t> {
        let mut cells = Vec::new();
        let mut run = Run::default();
        let mut mark = None;
        let is_axis = piece.as_rule() == Rule::axis;
        for piece in flat(piece) {
            let between = match piece.as_rule() {
                Rule::index => None,
                _ => (!run.parts.is_empty() || !cells.is_empty()).then_some(Part::Space),
            };
            if let Some(next) = mark_of(piece.as_rule())
                && !(is_axis && mark.is_some())
            {
                cells.push(Cell::new(mark, std::mem::take(&mut run)));
                mark = next;
            }
            match piece.as_rule() {
                Rule::index => self.index(&mut run, piece),
                Rule::target => self.target(&mut run, piece),
                Rule::conditions => self.conditions(&mut run, piece),
                Rule::tolerance | Rule::per_layer => {
                    for leaf in piece.into_inner() {
                        self.add(&mut run, Some(Part::Space), &leaf);
                    }
                }
                Rule::number | Rule::string | Rule::list | Rule::word => {
                    self.separate(&mut run, between, &piece);
                    self.value(&mut run, piece);
                }
                _ => self.add(&mut run, between, &piece),
            }
        }
        cells.push(Cell::new(mark, run));
        Entry { gap, cells }
    }

    /// `[every 2]`, directly behind a name.
    fn index(&mut self, run: &mut Run<'t>, piece: Piece<'t>) {
        for piece in piece.into_inner() {
            match piece.as_rule() {
                Rule::every | Rule::range => {
                    for leaf in piece.into_inner() {
                        let is_second = matches!(run.parts.last(), Some(Part::Text("every")));
                        self.add(run, is_second.then_some(Part::Space), &leaf);
                    }
                }
                _ => self.add(run, None, &piece),
            }
        }
    }

    /// `350M`, `flops.forward("moe_8_64.coe")`.
    fn target(&mut self, run: &mut Run<'t>, piece: Piece<'t>) {
        for (i, piece) in piece.into_inner().enumerate() {
            match piece.as_rule() {
                Rule::reference => piece.into_inner().for_each(|leaf| self.add(run, None, &leaf)),
                _ => self.add(run, (i == 0).then_some(Part::Space), &piece),
            }
        }
    }

    /// `@ batch=4, precision=f32`.
    fn conditions(&mut self, run: &mut Run<'t>, piece: Piece<'t>) {
        for piece in piece.into_inner() {
            match piece.as_rule() {
                Rule::condition => {
                    self.separate(run, Some(Part::Space), &piece);
                    self.assignment(run, piece);
                }
                Rule::comma => self.add(run, None, &piece),
                _ => self.add(run, Some(Part::Space), &piece),
            }
        }
    }

    /// `batch=4`, or a value alone.
    fn assignment(&mut self, run: &mut Run<'t>, piece: Piece<'t>) -> Kind {
        let mut kind = Kind::Literal;
        let mut is_spaced = false;
        for piece in piece.into_inner() {
            match piece.as_rule() {
                Rule::ident => self.add(run, None, &piece),
                Rule::equals => {
                    self.separate(run, None, &piece);
                    is_spaced = matches!(run.parts.last(), Some(Part::Gap(_)));
                    self.add(run, None, &piece);
                }
                _ => {
                    self.separate(run, is_spaced.then_some(Part::Space), &piece);
                    kind = self.value(run, piece);
                }
            }
        }
        kind
    }

    /// A value, or a block on its own, which has the pieces of a word.
    fn value(&mut self, run: &mut Run<'t>, piece: Piece<'t>) -> Kind {
        match piece.as_rule() {
            Rule::number | Rule::string => {
                run.parts.push(Part::Text(self.token(&piece)));
                Kind::Literal
            }
            Rule::list => self.list(run, piece),
            _ => {
                let mut kind = Kind::Word;
                for piece in piece.into_inner() {
                    match piece.as_rule() {
                        Rule::args => {
                            self.separate(run, None, &piece);
                            self.list(run, piece);
                            kind = Kind::Block;
                        }
                        _ => self.add(run, None, &piece),
                    }
                }
                kind
            }
        }
    }

    fn list(&mut self, run: &mut Run<'t>, piece: Piece<'t>) -> Kind {
        let (mut open, mut close) = ("", "");
        let mut elements = Vec::new();
        let mut gap = Gap::default();
        for piece in piece.into_inner() {
            self.read_gap(&mut gap, &piece);
            match piece.as_rule() {
                Rule::paren_open | Rule::bracket_open => open = self.token(&piece),
                Rule::paren_close | Rule::bracket_close => close = self.token(&piece),
                Rule::comma => {
                    self.token(&piece);
                    gap.comma();
                }
                rule => {
                    let mut run = Run::default();
                    let kind = match rule {
                        Rule::arg => self.assignment(&mut run, piece),
                        _ => self.value(&mut run, piece),
                    };
                    elements.push(Element::new(std::mem::take(&mut gap), run, kind));
                }
            }
        }
        let kind = Kind::of_list(&elements);
        let list = List::new(open, close, elements, gap.close());
        run.parts.push(Part::List(Box::new(list)));
        kind
    }
}

/// The pieces of an entry. Those of a line of a sweep stand inside others, which say what they mean and not how
/// they are laid out.
fn flat(piece: Piece<'_>) -> Vec<Piece<'_>> {
    let inside = |rule| {
        matches!(rule, Rule::values | Rule::fitted | Rule::derived | Rule::sum | Rule::product | Rule::line)
    };
    let mut flat = Vec::new();
    for piece in piece.into_inner() {
        match inside(piece.as_rule()) {
            true => flat.extend(self::flat(piece)),
            false => flat.push(piece),
        }
    }
    flat
}

/// Whether a piece begins a new cell, and at which mark.
fn mark_of(rule: Rule) -> Option<Option<Mark>> {
    match rule {
        Rule::equals | Rule::comparison => Some(Some(Mark::Relation)),
        Rule::conditions => Some(Some(Mark::Conditions)),
        _ => None,
    }
}
