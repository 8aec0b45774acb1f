//! What the problems are told about: people, things, numbers, and the working.

use super::super::Stream;
use super::Problem;

/// A countable thing.
pub(super) struct Noun {
    pub(super) one: &'static str,
    pub(super) many: &'static str,
}

impl Noun {
    /// "1 apple", "5 apples".
    pub(super) fn count(&self, n: u32) -> String {
        format!("{n} {}", if n == 1 { self.one } else { self.many })
    }

    /// "a pear", "an apple".
    pub(super) fn a(&self) -> String {
        let article = if self.one.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        format!("{article} {}", self.one)
    }
}

const fn noun(one: &'static str, many: &'static str) -> Noun {
    Noun { one, many }
}

/// Things a person has some of.
pub(super) const THINGS: &[Noun] = &[
    noun("apple", "apples"),
    noun("pear", "pears"),
    noun("egg", "eggs"),
    noun("pen", "pens"),
    noun("book", "books"),
    noun("coin", "coins"),
    noun("card", "cards"),
    noun("stamp", "stamps"),
    noun("shell", "shells"),
    noun("marble", "marbles"),
    noun("sticker", "stickers"),
    noun("cookie", "cookies"),
    noun("orange", "oranges"),
    noun("berry", "berries"),
    noun("peach", "peaches"),
    noun("toy", "toys"),
];

/// Things that hold others.
pub(super) const CONTAINERS: &[Noun] = &[
    noun("box", "boxes"),
    noun("bag", "bags"),
    noun("jar", "jars"),
    noun("basket", "baskets"),
    noun("tray", "trays"),
];

/// Things to save money for.
pub(super) const WISHES: &[Noun] = &[
    noun("bike", "bikes"),
    noun("kite", "kites"),
    noun("guitar", "guitars"),
    noun("ukulele", "ukuleles"),
    noun("game", "games"),
];

pub(super) const YEARS: Noun = noun("year", "years");
pub(super) const HOURS: Noun = noun("hour", "hours");
pub(super) const MINUTES: Noun = noun("minute", "minutes");
pub(super) const DAYS: Noun = noun("day", "days");
pub(super) const PAGES: Noun = noun("page", "pages");
pub(super) const METERS: Noun = noun("meter", "meters");

/// A person of a story.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) name: &'static str,
    /// "she" or "he".
    pub(super) she: &'static str,
}

impl Person {
    /// "She" or "He".
    pub(super) fn capital_she(&self) -> &'static str {
        if self.she == "she" { "She" } else { "He" }
    }
}

const fn she(name: &'static str) -> Person {
    Person { name, she: "she" }
}

const fn he(name: &'static str) -> Person {
    Person { name, she: "he" }
}

pub(super) const PEOPLE: &[Person] = &[
    she("Ana"),
    she("Mia"),
    she("Lea"),
    she("Zoe"),
    she("Eva"),
    she("Ida"),
    she("Nora"),
    she("Ruth"),
    she("Aisha"),
    she("Mei"),
    he("Ben"),
    he("Tom"),
    he("Max"),
    he("Leo"),
    he("Sam"),
    he("Ivan"),
    he("Omar"),
    he("Raj"),
    he("Paul"),
    he("Kofi"),
];

/// Random choices for one problem.
pub(super) struct Draw {
    stream: Stream,
}

impl Draw {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream }
    }

    /// One of `items`, which are never empty.
    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.stream.below(items.len() as u64) as usize]
    }

    pub(super) fn noun(&mut self, nouns: &'static [Noun]) -> &'static Noun {
        &nouns[self.stream.below(nouns.len() as u64) as usize]
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn number(&mut self, low: u32, high: u32) -> u32 {
        low + self.stream.below(u64::from(high - low) + 1) as u32
    }

    pub(super) fn person(&mut self) -> Person {
        self.pick(PEOPLE)
    }

    /// Two different people.
    pub(super) fn two_people(&mut self) -> (Person, Person) {
        let first = self.stream.below(PEOPLE.len() as u64) as usize;
        let step = 1 + self.stream.below(PEOPLE.len() as u64 - 1) as usize;
        (PEOPLE[first], PEOPLE[(first + step) % PEOPLE.len()])
    }

    /// Two different things.
    pub(super) fn two_things(&mut self) -> (&'static Noun, &'static Noun) {
        let first = self.stream.below(THINGS.len() as u64) as usize;
        let step = 1 + self.stream.below(THINGS.len() as u64 - 1) as usize;
        (&THINGS[first], &THINGS[(first + step) % THINGS.len()])
    }
}

/// The working of an answer: equations, each true because its result is computed here.
pub(super) struct Working {
    text: String,
    result: u32,
}

impl Working {
    /// Starts with `a op b`.
    pub(super) fn new(a: u32, op: char, b: u32) -> Self {
        let working = Self { text: String::new(), result: a };
        working.then(op, b)
    }

    /// Goes on with the result so far.
    pub(super) fn then(self, op: char, b: u32) -> Self {
        let a = self.result;
        self.equation(a, op, b)
    }

    /// Goes on with the result so far on the right.
    pub(super) fn then_of(self, a: u32, op: char) -> Self {
        let b = self.result;
        self.equation(a, op, b)
    }

    fn equation(mut self, a: u32, op: char, b: u32) -> Self {
        self.result = match op {
            '+' => a + b,
            '-' => a - b,
            '*' => a * b,
            _ => a / b,
        };
        self.text += &format!("{a} {op} {b} = {}. ", self.result);
        self
    }

    /// The problem that this is the answer of.
    pub(super) fn answers(self, question: String) -> Problem {
        Problem { question, answer: format!("{}The answer is {}.", self.text, self.result) }
    }
}
