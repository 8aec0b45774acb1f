//! Values, and the arguments of blocks.

use coec_ir::table::{self, Field, Kind as Holds, Table};

use super::lex::Kind;
use super::reader::{Reader, field_of, plain};
use super::{Call, Role, Wants};

/// Words that hold where no field says more.
const CONSTANTS: [&str; 3] = ["true", "false", "none"];

impl Reader<'_> {
    /// The value of a field; of `None`, that of a `let`.
    pub fn value(&mut self, field: Option<&'static Field>) {
        self.offer(|| Wants::Value(field));
        let Some(lexeme) = self.peek() else { return };
        match lexeme.kind {
            Kind::Number => drop(self.take(Role::Number)),
            Kind::Text => drop(self.take(Role::Text)),
            Kind::Mark if self.is_mark("[") => self.list(field),
            // `dim = ` in front of `layers = 4`: the value has not been typed.
            Kind::Word if self.is_second("=") || self.begins_item() => {}
            Kind::Word if self.is_second("(") => self.block(field),
            Kind::Word => {
                let role = self.bare(field);
                self.take(role);
            }
            _ => {}
        }
    }

    /// What a word without arguments is.
    fn bare(&self, field: Option<&'static Field>) -> Role {
        let word = self.word().unwrap_or_default();
        let is_word = |field: &&Field| match field.kind {
            Holds::Word(words) | Holds::Words(words) => words().contains(&word),
            _ => false,
        };
        if let Some(field) = field.filter(is_word) {
            return Role::Word(field);
        }
        if let Some(table) = tables(field, word).first() {
            return Role::Block(table);
        }
        match CONSTANTS.contains(&word) {
            true => Role::Constant,
            false if self.lets.contains(word) => Role::Let { declared: false },
            false => Role::Unknown,
        }
    }

    fn list(&mut self, field: Option<&'static Field>) {
        self.brackets("[", "]", |reader| {
            reader.lists += 1;
            loop {
                let before = reader.peek().map(|lexeme| lexeme.start);
                reader.value(field);
                if !reader.take_mark(",") {
                    let is_stuck = before == reader.peek().map(|lexeme| lexeme.start);
                    if is_stuck || reader.is_closed() {
                        break;
                    }
                }
            }
            reader.lists -= 1;
        });
    }

    /// `coe(iter=2, k=4)`.
    fn block(&mut self, field: Option<&'static Field>) {
        let tables = tables(field, self.word().unwrap_or_default());
        let role = tables.first().map_or(Role::Unknown, |table| Role::Block(table));
        let start = self.take(role).start;
        self.calls.push(Call { tables, given: Vec::new(), active: None, start });
        let lists = std::mem::take(&mut self.lists);
        self.brackets("(", ")", Self::arguments);
        self.lists = lists;
        self.calls.pop();
    }

    fn arguments(&mut self) {
        let mut positional = 0;
        loop {
            let next = self.positional(positional);
            self.active(next);
            self.offer(|| Wants::Argument(next));
            let Some(lexeme) = self.peek() else { break };
            if self.is_closed() || self.begins_item() || self.is_of_braces() {
                break;
            }
            if self.take_mark(",") {
                continue;
            }
            if let Some(word) = self.word().filter(|_| self.is_second("=")) {
                let field = self.keyed(word);
                self.take(field.map_or(Role::Unknown, |(table, field)| Role::Field(table, field)));
                self.take_mark("=");
                let field = field.map(|(_, field)| field);
                self.active(field);
                self.value(field);
                self.give(field);
                continue;
            }
            let before = lexeme.start;
            self.value(next);
            if self.peek().is_some_and(|lexeme| lexeme.start == before) {
                self.take(plain(lexeme.kind));
            }
            positional += 1;
            self.give(next);
        }
    }

    /// Whether a bracket that opened before closes here.
    fn is_closed(&self) -> bool {
        [")", "]", "}"].iter().any(|mark| self.is_mark(mark))
    }

    /// Whether a field of the braces around a block begins here, on a line of its own: the block was not closed.
    fn is_of_braces(&self) -> bool {
        let Some((lexeme, word)) = self.peek().zip(self.word()) else { return false };
        let begins_line = self.text[self.end()..lexeme.start].contains('\n');
        let Some(outer) = self.calls.first().and_then(|call| call.tables.first()).filter(|_| begins_line)
        else {
            return false;
        };
        self.calls.len() > 1
            && (self.is_second("=") || self.is_second("["))
            && field_of(outer, word).is_some()
            && self.keyed(word).is_none()
    }

    /// The field of the innermost block that a value without a key is for.
    fn positional(&self, place: usize) -> Option<&'static Field> {
        let table = self.calls.last()?.tables.first()?;
        (place < table.positional).then(|| &table.fields[place])
    }

    /// The field of the innermost block of a name.
    fn keyed(&self, name: &str) -> Option<(&'static Table, &'static Field)> {
        let tables = &self.calls.last()?.tables;
        tables.iter().find_map(|table| Some((*table, field_of(table, name)?)))
    }

    /// Notes that a field was given.
    fn give(&mut self, field: Option<&'static Field>) {
        if let Some(call) = self.calls.last_mut() {
            call.given.extend(field.map(|field| field.name));
            call.active = None;
        }
    }
}

/// The blocks of a word that a field may hold; of `None`, every block of the word.
fn tables(field: Option<&'static Field>, word: &str) -> Vec<&'static Table> {
    match field {
        Some(field) => field.tables().iter().filter(|table| table.word == word).collect(),
        None => table::all().iter().copied().filter(|table| table.word == word).collect(),
    }
}
