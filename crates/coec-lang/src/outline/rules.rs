//! The rules of budgets, and what sweeps go through.

use coec_ir::Figure;
use coec_ir::budget::CONDITIONS;

use super::lex::Kind;
use super::reader::Reader;
use super::{Part, Role, Wants, field_of_path};

/// Comparisons.
const COMPARISONS: [&str; 3] = ["<=", ">=", "=="];

impl Reader<'_> {
    /// `params.total <= 4M`, line by line.
    pub fn rules(&mut self, parts: &mut Vec<Part>) {
        while self.part(&Wants::Figure).is_some() {
            parts.push(self.rule());
        }
    }

    /// A rule that begins with a word.
    fn rule(&mut self) -> Part {
        let start = self.peek().map_or(0, |lexeme| lexeme.start);
        if self.word() == Some("warn") && !COMPARISONS.iter().any(|mark| self.is_second(mark)) {
            self.take(Role::Keyword);
            self.offer(|| Wants::Figure);
        }
        if self.word().is_none() {
            return Part { name: start..self.end(), range: start..self.end() };
        }
        let (figure, name) = self.figure();
        self.offer(|| Wants::Comparison);
        if COMPARISONS.iter().any(|mark| self.is_mark(mark)) {
            self.take(Role::Mark);
            self.target(figure);
        }
        if self.take_mark("+-") {
            self.offer(|| Wants::Anything);
            if self.peek().is_some_and(|lexeme| lexeme.kind == Kind::Number) {
                self.take(Role::Number);
            }
        }
        if self.word() == Some("per") {
            self.take(Role::Keyword);
            self.offer(|| Wants::Anything);
            if self.word() == Some("layer") {
                self.take(Role::Keyword);
            }
        }
        if self.take_mark("@") {
            self.conditions(figure);
        }
        Part { name, range: start..self.end() }
    }

    fn figure(&mut self) -> (Option<Figure>, std::ops::Range<usize>) {
        let figure = self.word().and_then(Figure::from_name);
        (figure, self.take(figure.map_or(Role::Unknown, Role::Figure)))
    }

    /// A number, a figure, a figure of another spec.
    fn target(&mut self, figure: Option<Figure>) {
        self.offer(|| Wants::Target(figure));
        match self.peek().map(|lexeme| lexeme.kind) {
            Some(Kind::Number) => drop(self.take(Role::Number)),
            // `params.total <= ` in front of the next rule: what it is compared with has not been typed.
            Some(Kind::Word) if COMPARISONS.iter().any(|mark| self.is_second(mark)) => {}
            Some(Kind::Word) if !self.begins_item() => {
                self.figure();
                self.brackets("(", ")", |reader| {
                    reader.offer(|| Wants::Spec);
                    if reader.peek().is_some_and(|lexeme| lexeme.kind == Kind::Text) {
                        reader.take(Role::Spec);
                    }
                });
            }
            _ => {}
        }
    }

    /// `context=512, batch=4`.
    fn conditions(&mut self, figure: Option<Figure>) {
        loop {
            self.offer(|| Wants::Condition(figure));
            let Some(word) = self.word().filter(|_| self.is_second("=")).map(str::to_owned) else { return };
            let is_known = CONDITIONS.contains(&word.as_str());
            self.take(if is_known { Role::Condition } else { Role::Unknown });
            self.take_mark("=");
            self.offer(|| Wants::Setting(word));
            match self.peek().map(|lexeme| lexeme.kind) {
                Some(Kind::Number) => drop(self.take(Role::Number)),
                Some(Kind::Word) if COMPARISONS.iter().all(|mark| !self.is_second(mark)) => {
                    let is_let = self.word().is_some_and(|word| self.lets.contains(word));
                    self.take(if is_let { Role::Let { declared: false } } else { Role::Setting });
                }
                _ => {}
            }
            if !self.take_mark(",") {
                return;
            }
        }
    }

    /// `ffn.k = [2, 4] with ffn.iter = 8 / ffn.k`, `fit ffn.hidden under flops.forward == 3M`.
    pub fn axes(&mut self, parts: &mut Vec<Part>) {
        while let Some(word) = self.part(&Wants::Axis) {
            let start = self.peek().map_or(0, |lexeme| lexeme.start);
            let is_fit = word == "fit" && !self.is_second("=");
            if is_fit {
                self.take(Role::Keyword);
                self.offer(|| Wants::Path);
            }
            let field = self.word().and_then(field_of_path).map(|(_, field)| field);
            let name = match self.word() {
                Some(_) => self.take(Role::Path),
                None => start..self.end(),
            };
            if is_fit {
                self.offer(|| Wants::Under);
                if self.word() == Some("under") {
                    self.take(Role::Keyword);
                    self.offer(|| Wants::Figure);
                    if self.word().is_some() {
                        self.rule();
                    }
                }
            } else if self.take_mark("=") {
                self.value(field);
                while self.word() == Some("with") {
                    self.derived();
                }
            }
            parts.push(Part { name, range: start..self.end() });
        }
    }

    /// `with ffn.iter = 8 / ffn.k`.
    fn derived(&mut self) {
        self.take(Role::Keyword);
        self.offer(|| Wants::Path);
        if self.word().is_some() {
            self.take(Role::Path);
        }
        if !self.take_mark("=") {
            return;
        }
        loop {
            self.offer(|| Wants::Path);
            match self.peek().map(|lexeme| lexeme.kind) {
                Some(Kind::Word) if !self.is_second("=") => drop(self.take(Role::Path)),
                Some(Kind::Number) => drop(self.take(Role::Number)),
                _ => return,
            }
            // `8-1` has a number behind it that looks as if it were below zero.
            let is_less = self
                .peek()
                .is_some_and(|next| next.kind == Kind::Number && self.text_of(next).starts_with('-'));
            if !is_less && !["+", "-", "*", "/"].iter().any(|mark| self.take_mark(mark)) {
                return;
            }
        }
    }
}
