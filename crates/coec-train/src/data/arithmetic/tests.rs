use super::draw::{CONTAINERS, DAYS, HOURS, METERS, MINUTES, Noun, PAGES, PEOPLE, THINGS, WISHES, YEARS};
use super::*;
use crate::data::split::{content_hash, is_held_out};

fn many() -> Vec<Problem> {
    problems(7, 4000)
}

/// The equations of an answer, as (a, op, b, c), and the answer itself.
fn parse(answer: &str) -> (Vec<(i64, String, i64, i64)>, i64) {
    let (working, last) = answer.strip_suffix('.').unwrap().split_once("The answer is ").unwrap();
    let number = |word: &str| word.parse::<i64>().unwrap_or_else(|_| panic!("`{word}` in {answer}"));
    let equations = working.trim().split_terminator('.').map(|equation| {
        let words: Vec<&str> = equation.split_whitespace().collect();
        let &[a, op, b, "=", c] = words.as_slice() else { panic!("{answer}") };
        (number(a), op.to_owned(), number(b), number(c))
    });
    (equations.collect(), number(last))
}

#[test]
fn every_worked_equation_is_true() {
    for problem in many() {
        let (equations, answer) = parse(&problem.answer);
        for (a, op, b, c) in &equations {
            let right = match op.as_str() {
                "+" => a + b == *c,
                "-" => a - b == *c,
                "*" => a * b == *c,
                "/" => c * b == *a,
                _ => false,
            };
            assert!(right && *c >= 0, "{problem:?}");
        }
        assert_eq!(equations.last().unwrap().3, answer, "{problem:?}");
    }
}

#[test]
fn equations_use_the_question_and_what_was_worked_out() {
    for problem in many() {
        let digits = |char: char| !char.is_ascii_digit();
        let mut known: Vec<i64> =
            problem.question.split(digits).filter_map(|word| word.parse().ok()).collect();
        known.push(2); // "half", and the two sides of a perimeter
        for (a, _, b, c) in parse(&problem.answer).0 {
            assert!(known.contains(&a) && known.contains(&b), "{problem:?}");
            known.push(c);
        }
    }
}

#[test]
fn numbers_agree_with_their_nouns() {
    let units: [&Noun; 6] = [&YEARS, &HOURS, &MINUTES, &DAYS, &PAGES, &METERS];
    let nouns: Vec<&Noun> = THINGS.iter().chain(CONTAINERS).chain(WISHES).chain(units).collect();
    for problem in many() {
        let words: Vec<&str> =
            problem.question.split([' ', '.', '?']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let Ok(n) = pair[0].parse::<u32>() else { continue };
            let wrong = nouns.iter().any(|noun| pair[1] == if n == 1 { noun.many } else { noun.one });
            assert!(!wrong, "{problem:?}");
        }
        for pair in words.windows(2) {
            let vowel = pair[1].starts_with(['a', 'e', 'i', 'o']) || pair[1] == "hour";
            assert!(!(pair[0].eq_ignore_ascii_case("a") && vowel), "{problem:?}");
            assert!(!(pair[0].eq_ignore_ascii_case("an") && !vowel && pair[1] != "ukulele"), "{problem:?}");
        }
    }
}

#[test]
fn pronouns_agree_with_names() {
    for problem in many() {
        let words: Vec<&str> = problem.question.split([' ', '.', '?']).collect();
        let Some(person) = PEOPLE.iter().find(|person| words.contains(&person.name)) else { continue };
        let pronoun = words.iter().find(|word| ["she", "he"].contains(&word.to_lowercase().as_str()));
        if let Some(pronoun) = pronoun {
            let named = words.iter().filter(|word| PEOPLE.iter().any(|person| person.name == **word));
            assert!(named.count() == 1 || words.iter().filter(|word| **word == person.name).count() > 1);
            assert_eq!(pronoun.to_lowercase(), person.she, "{problem:?}");
        }
    }
}

#[test]
fn problems_are_short() {
    for problem in many() {
        let length = problem.text().len();
        assert!((60..=160).contains(&length), "{length}: {problem:?}");
    }
}

#[test]
fn there_is_a_problem_of_every_kind() {
    let first_words: std::collections::HashSet<String> = many()
        .iter()
        .map(|problem| {
            let plain =
                |word: &&str| !word.contains(|char: char| char.is_ascii_digit() || char.is_uppercase());
            let verbs: Vec<&str> = problem.question.split(' ').filter(plain).collect();
            verbs.first().copied().unwrap_or_default().to_owned()
        })
        .collect();
    assert!(templates::ALL.len() >= 12 && first_words.len() >= 10, "{first_words:?}");
}

#[test]
fn a_seed_gives_the_same_problems() {
    assert_eq!(problems(3, 50), problems(3, 50));
    assert_ne!(problems(3, 50), problems(4, 50));
}

#[test]
fn the_data_set_has_thousands_of_distinct_problems() {
    let documents = documents();
    assert_eq!(documents.iter().collect::<HashSet<_>>().len(), PROBLEMS);
    let held_out = documents.iter().filter(|document| is_held_out(document)).count();
    assert!((400..640).contains(&held_out), "{held_out}");
}

#[test]
fn the_data_set_stays_what_it_is() {
    let (held_out, train): (Vec<String>, Vec<String>) = documents().into_iter().partition(|d| is_held_out(d));
    let text = [train, held_out].concat().concat();
    // Losses of different versions are compared: change this only together with the name of the data set.
    assert_eq!(content_hash(text.as_bytes()), 6_097_828_228_413_102_145);
}

#[test]
fn no_seed_puts_a_problem_on_both_sides() {
    let held_out: HashSet<String> =
        documents().into_iter().filter(|document| is_held_out(document)).collect();
    for problem in (1..5).flat_map(|seed| problems(seed, 2000)) {
        let text = problem.text();
        assert!(is_held_out(&text) || !held_out.contains(&text));
    }
}
