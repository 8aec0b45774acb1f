//! The items of a file, and the fields between braces.

use std::collections::HashSet;
use std::ops::Range;

use coec_ir::table::{FFN, Field, MODEL, TRAIN, Table};

use super::lex::{Kind, Lexeme};
use super::{Call, Item, ItemKind, Outline, Part, Role, Site, Token, Wants};
use crate::scan::MAX_NESTING;

/// Reads a text piece by piece; every piece is taken once, so that reading takes time linear in the text.
pub(super) struct Reader<'t> {
    pub text: &'t str,
    lexemes: Vec<Lexeme>,
    /// The next piece.
    next: usize,
    pub outline: Outline,
    /// What has been typed at the place that is asked for, and what is replaced there.
    wanted: Option<(Range<usize>, Range<usize>)>,
    /// Lists around the next piece, inside the innermost block.
    pub lists: usize,
    site: Option<Site>,
    pub calls: Vec<Call>,
    /// The names of the `let`s.
    pub lets: HashSet<&'t str>,
    pub depth: usize,
}

/// The words that begin an item.
pub(super) const ITEMS: [&str; 5] = ["model", "budget", "train", "sweep", "let"];

impl<'t> Reader<'t> {
    pub fn new(text: &'t str, lexemes: Vec<Lexeme>, wanted: Option<(Range<usize>, Range<usize>)>) -> Self {
        let words: Vec<&Lexeme> = lexemes.iter().filter(|lexeme| lexeme.kind != Kind::Comment).collect();
        let is_let =
            |pair: &&[&Lexeme]| &text[pair[0].start..pair[0].end] == "let" && pair[1].kind == Kind::Word;
        let lets = words.windows(2).filter(is_let).map(|pair| &text[pair[1].start..pair[1].end]).collect();
        let mut reader = Self {
            text,
            lexemes,
            next: 0,
            outline: Outline::default(),
            wanted,
            lists: 0,
            site: None,
            calls: Vec::new(),
            lets,
            depth: 0,
        };
        reader.comments();
        reader
    }

    pub fn finish(self) -> (Outline, Option<Site>) {
        (self.outline, self.site)
    }

    /// Takes comments.
    fn comments(&mut self) {
        while let Some(lexeme) = self.lexemes.get(self.next).filter(|lexeme| lexeme.kind == Kind::Comment) {
            let text = &self.text[lexeme.start..lexeme.end];
            let is_kept = text.starts_with("///") && !text.starts_with("////");
            let (start, end) = (lexeme.start, lexeme.end);
            self.outline.tokens.push(Token { start, end, role: Role::Comment(is_kept) });
            self.next += 1;
        }
    }

    /// The next piece.
    pub fn peek(&self) -> Option<Lexeme> {
        self.lexemes.get(self.next).copied()
    }

    /// The piece behind the next one.
    pub fn peek_second(&self) -> Option<Lexeme> {
        self.lexemes[self.next.min(self.lexemes.len())..]
            .iter()
            .filter(|lexeme| lexeme.kind != Kind::Comment)
            .nth(1)
            .copied()
    }

    pub fn text_of(&self, lexeme: Lexeme) -> &'t str {
        &self.text[lexeme.start..lexeme.end]
    }

    /// The next piece, if it is a word.
    pub fn word(&self) -> Option<&'t str> {
        self.peek().filter(|lexeme| lexeme.kind == Kind::Word).map(|lexeme| self.text_of(lexeme))
    }

    /// Whether the next piece is this mark.
    pub fn is_mark(&self, mark: &str) -> bool {
        self.peek().is_some_and(|lexeme| lexeme.kind == Kind::Mark && self.text_of(lexeme) == mark)
    }

    /// Whether the piece behind the next one is this mark.
    pub fn is_second(&self, mark: &str) -> bool {
        self.peek_second().is_some_and(|lexeme| self.text_of(lexeme) == mark)
    }

    /// Takes the next piece; its range.
    pub fn take(&mut self, role: Role) -> Range<usize> {
        let Some(Lexeme { start, end, .. }) = self.peek() else { return self.text.len()..self.text.len() };
        self.outline.tokens.push(Token { start, end, role });
        self.next += 1;
        self.comments();
        start..end
    }

    /// Takes the next piece if it is this mark; whether it was.
    pub fn take_mark(&mut self, mark: &str) -> bool {
        let is_next = self.is_mark(mark);
        if is_next {
            self.take(Role::Mark);
        }
        is_next
    }

    /// Takes what stands between two brackets, if the first of them is next.
    pub fn brackets(&mut self, open: &str, close: &str, inside: impl FnOnce(&mut Self)) {
        if !self.is_mark(open) {
            return;
        }
        let start = self.take(Role::Mark).start;
        self.depth += 1;
        if self.depth <= MAX_NESTING {
            inside(self);
        }
        self.depth -= 1;
        if self.is_mark(close) {
            let end = self.take(Role::Mark).end;
            self.outline.brackets.push(start..end);
        }
    }

    /// The end of the last token that is no comment.
    pub fn end(&self) -> usize {
        let is_said = |token: &&Token| !matches!(token.role, Role::Comment(_));
        self.outline.tokens.iter().rfind(is_said).map_or(0, |token| token.end)
    }

    /// Says what may stand where the next piece stands. The first to say so of the place that is asked for is right:
    /// the innermost block speaks before those around it.
    pub fn offer(&mut self, wants: impl FnOnce() -> Wants) {
        let Some((typed, replaced)) = self.wanted.clone().filter(|_| self.site.is_none()) else { return };
        let is_here = self.peek().is_none_or(|lexeme| lexeme.start >= typed.start);
        if is_here {
            // An item that is not over is not among them yet.
            let item = Some(self.outline.items.len());
            let (calls, in_list) = (self.calls.clone(), self.lists > 0);
            self.site = Some(Site { typed, replaced, in_list, wants: wants(), calls, item });
        }
    }

    /// The items of the file.
    pub fn file(&mut self) {
        loop {
            self.offer(|| Wants::Item);
            let Some(lexeme) = self.peek() else { break };
            let start = lexeme.start;
            let kind = match self.word() {
                Some("model") => ItemKind::Model,
                Some("budget") => ItemKind::Budget,
                Some("train") => ItemKind::Train,
                Some("sweep") => ItemKind::Sweep,
                Some("let") => ItemKind::Let,
                Some(_) if self.is_second("(") => ItemKind::Block,
                Some(_) => {
                    self.take(Role::Unknown);
                    continue;
                }
                None => {
                    let role = plain(lexeme.kind);
                    self.take(role);
                    continue;
                }
            };
            self.item(kind, start);
        }
    }

    fn item(&mut self, kind: ItemKind, start: usize) {
        let mut item = Item { kind, name: None, extends: None, range: start..start, parts: Vec::new() };
        if kind != ItemKind::Block {
            self.take(Role::Keyword);
        }
        match kind {
            ItemKind::Block => self.value(field_of(&MODEL, FFN)),
            ItemKind::Let => {
                self.offer(|| Wants::Anything);
                if self.word().is_some() {
                    item.name = Some(self.take(Role::Let { declared: true }));
                }
                if self.take_mark("=") {
                    self.value(None);
                }
            }
            _ => {
                let is_model = kind == ItemKind::Model;
                self.offer(|| if is_model { Wants::Anything } else { Wants::Model });
                // A model may have the name `extends`.
                let is_nameless = self.word() == Some("extends")
                    && self.peek_second().is_some_and(|second| second.kind == Kind::Text);
                // It may have the name of an item's word, too.
                let is_named = !self.begins_item() || self.is_second("{");
                if self.word().is_some() && !is_nameless && is_named {
                    item.name = Some(self.take(Role::Model { declared: is_model }));
                }
                if is_model {
                    self.offer(|| Wants::Head);
                }
                if is_model && self.word() == Some("extends") {
                    self.take(Role::Keyword);
                    self.offer(|| Wants::Spec);
                    if self.peek().is_some_and(|lexeme| lexeme.kind == Kind::Text) {
                        item.extends = Some(self.take(Role::Spec));
                    }
                }
                // In front of the brace there is nothing to choose from.
                self.offer(|| Wants::Anything);
                self.brackets("{", "}", |reader| match kind {
                    ItemKind::Model => reader.fields(&MODEL, &mut item.parts),
                    ItemKind::Train => reader.fields(&TRAIN, &mut item.parts),
                    ItemKind::Budget => reader.rules(&mut item.parts),
                    _ => reader.axes(&mut item.parts),
                });
            }
        }
        item.range.end = self.end();
        self.outline.items.push(item);
    }

    /// Whether an item begins here: its word, and what follows it.
    pub fn begins_item(&self) -> bool {
        let follows = |second: Lexeme| second.kind == Kind::Word || self.text_of(second) == "{";
        self.word().is_some_and(|word| ITEMS.contains(&word)) && self.peek_second().is_some_and(follows)
    }

    /// The word that the next part of a block in braces begins with; what is in front of it and begins none is taken.
    /// `None` where the braces end, or should have.
    pub fn part(&mut self, wants: &Wants) -> Option<&'t str> {
        loop {
            self.offer(|| wants.clone());
            let lexeme = self.peek()?;
            if self.is_mark("}") || self.begins_item() {
                return None;
            }
            match self.word() {
                Some(word) => return Some(word),
                None => drop(self.take(plain(lexeme.kind))),
            }
        }
    }

    fn fields(&mut self, table: &'static Table, parts: &mut Vec<Part>) {
        let call = Call { tables: vec![table], given: Vec::new(), active: None, start: self.end() };
        self.calls.push(call);
        while let Some(word) = self.part(&Wants::Field(table)) {
            let field = field_of(table, word);
            let mut name = self.take(field.map_or(Role::Unknown, |field| Role::Field(table, field)));
            self.index();
            name.end = self.end();
            if self.take_mark("=") {
                self.active(field);
                self.value(field);
                self.active(None);
            }
            if let Some(call) = self.calls.last_mut() {
                call.given.extend(field.map(|field| field.name));
            }
            parts.push(Part { range: name.start..self.end(), name });
        }
        self.calls.pop();
    }

    /// `[1..3]`, `[every 2]`.
    fn index(&mut self) {
        self.brackets("[", "]", |reader| {
            reader.offer(|| Wants::Index);
            while let Some(lexeme) = reader.peek() {
                match lexeme.kind {
                    Kind::Number => reader.take(Role::Number),
                    Kind::Word if reader.word() == Some("every") => reader.take(Role::Keyword),
                    Kind::Mark if matches!(reader.text_of(lexeme), ".." | ".") => reader.take(Role::Mark),
                    _ => break,
                };
                reader.offer(|| Wants::Anything);
            }
        });
    }

    /// Notes the field whose value comes next.
    pub fn active(&mut self, field: Option<&'static Field>) {
        if let Some(call) = self.calls.last_mut() {
            call.active = field.map(|field| field.name);
        }
    }
}

/// A field that can be given.
pub(super) fn field_of(table: &'static Table, name: &str) -> Option<&'static Field> {
    table.position(name).map(|position| &table.fields[position])
}

/// What a piece is by itself.
pub(super) fn plain(kind: Kind) -> Role {
    match kind {
        Kind::Number => Role::Number,
        Kind::Text => Role::Text,
        Kind::Mark => Role::Mark,
        Kind::Comment => Role::Comment(false),
        Kind::Word | Kind::Other => Role::Unknown,
    }
}
