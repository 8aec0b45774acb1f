//! The kinds of problems, one function each.
//!
//! Each draws numbers that keep every step a non-negative integer, and sums
//! small enough that a tiny model can learn them.

use super::Problem;
use super::draw::{CONTAINERS, DAYS, Draw, HOURS, METERS, MINUTES, PAGES, THINGS, WISHES, Working, YEARS};

/// One kind of problem.
pub(super) type Template = fn(&mut Draw) -> Problem;

/// All kinds, equally likely.
pub(super) const ALL: &[Template] = &[
    buys_more,
    gives_away,
    buys_and_gives,
    containers,
    shares,
    change,
    daily_minutes,
    ends_at,
    area,
    perimeter,
    compares,
    times_as_many,
    older,
    shopping,
    wages,
    distance,
    pages_left,
    half,
    packs,
    saves,
];

fn buys_more(draw: &mut Draw) -> Problem {
    let (person, thing) = (draw.person(), draw.noun(THINGS));
    let (x, y) = (draw.number(2, 20), draw.number(1, 20));
    let (name, she) = (person.name, person.capital_she());
    let (has, things) = (thing.count(x), thing.many);
    Working::new(x, '+', y)
        .answers(format!("{name} has {has}. {she} buys {y} more. How many {things} does {name} have?"))
}

fn gives_away(draw: &mut Draw) -> Problem {
    let ((giver, taker), thing) = (draw.two_people(), draw.noun(THINGS));
    let x = draw.number(2, 25);
    let y = draw.number(1, x);
    let (name, other) = (giver.name, taker.name);
    let (has, things) = (thing.count(x), thing.many);
    Working::new(x, '-', y).answers(format!(
        "{name} has {has} and gives {y} to {other}. How many {things} does {name} have left?"
    ))
}

fn buys_and_gives(draw: &mut Draw) -> Problem {
    let (person, thing) = (draw.person(), draw.noun(THINGS));
    let (x, y) = (draw.number(2, 15), draw.number(1, 15));
    let z = draw.number(1, x + y);
    let (name, she) = (person.name, person.capital_she());
    let (has, things) = (thing.count(x), thing.many);
    Working::new(x, '+', y).then('-', z).answers(format!(
        "{name} has {has}. {she} buys {y} more and gives {z} away. How many {things} does {name} have?"
    ))
}

fn containers(draw: &mut Draw) -> Problem {
    let (person, thing, container) = (draw.person(), draw.noun(THINGS), draw.noun(CONTAINERS));
    let (n, each) = (draw.number(2, 10), draw.number(2, 10));
    let (name, she) = (person.name, person.she);
    let (boxes, held, things) = (container.count(n), thing.count(each), thing.many);
    Working::new(n, '*', each)
        .answers(format!("{name} has {boxes} with {held} in each. How many {things} does {she} have?"))
}

fn shares(draw: &mut Draw) -> Problem {
    let (person, thing) = (draw.person(), draw.noun(THINGS));
    let (friends, each) = (draw.number(2, 8), draw.number(1, 10));
    let x = friends * each;
    let (name, has, things) = (person.name, thing.count(x), thing.many);
    Working::new(x, '/', friends).answers(format!(
        "{name} shares {has} equally among {friends} friends. How many {things} does each friend get?"
    ))
}

fn change(draw: &mut Draw) -> Problem {
    let (person, thing) = (draw.person(), draw.noun(THINGS));
    let (price, n) = (draw.number(1, 9), draw.number(2, 9));
    let cost = price * n;
    let paid = draw.pick(&[10, 20, 50, 100].map(|note| if note < cost { 100 } else { note }));
    let (name, she, items) = (person.name, person.she, thing.count(n));
    let item = thing.a().replacen('a', "A", 1);
    Working::new(n, '*', price).then_of(paid, '-').answers(format!(
        "{item} costs ${price}. {name} buys {items} and pays ${paid}. How many dollars does {she} get back?"
    ))
}

fn daily_minutes(draw: &mut Draw) -> Problem {
    let person = draw.person();
    let (verbs, verb) =
        draw.pick(&[("reads", "read"), ("runs", "run"), ("draws", "draw"), ("swims", "swim")]);
    let (minutes, days) = (5 * draw.number(1, 12), draw.number(2, 9));
    let (name, she) = (person.name, person.she);
    let (long, often) = (MINUTES.count(minutes), DAYS.count(days));
    Working::new(minutes, '*', days)
        .answers(format!("{name} {verbs} for {long} a day. How many minutes does {she} {verb} in {often}?"))
}

fn ends_at(draw: &mut Draw) -> Problem {
    let event = draw.pick(&["film", "game", "party", "lesson", "concert", "meeting", "show", "trip"]);
    let starts = draw.number(1, 11);
    let lasts = draw.number(1, 12 - starts);
    let hours = HOURS.count(lasts);
    Working::new(starts, '+', lasts).answers(format!(
        "The {event} starts at {starts} o'clock and lasts {hours}. At which hour does it end?"
    ))
}

const PLACES: &[&str] = &["garden", "room", "field", "yard", "park", "hall", "pool"];

fn area(draw: &mut Draw) -> Problem {
    let place = draw.pick(PLACES);
    let long = draw.number(2, 12);
    let wide = draw.number(1, long);
    let (length, width) = (METERS.count(long), METERS.count(wide));
    Working::new(long, '*', wide)
        .answers(format!("A {place} is {length} long and {width} wide. What is its area in square meters?"))
}

fn perimeter(draw: &mut Draw) -> Problem {
    let place = draw.pick(PLACES);
    let long = draw.number(2, 20);
    let wide = draw.number(1, long);
    let (length, width) = (METERS.count(long), METERS.count(wide));
    Working::new(long, '+', wide)
        .then_of(2, '*')
        .answers(format!("A {place} is {length} long and {width} wide. What is its perimeter in meters?"))
}

fn compares(draw: &mut Draw) -> Problem {
    let ((more, less), thing) = (draw.two_people(), draw.noun(THINGS));
    let x = draw.number(2, 25);
    let y = draw.number(1, x - 1);
    let (name, other) = (more.name, less.name);
    let (has, things) = (thing.count(x), thing.many);
    Working::new(x, '-', y)
        .answers(format!("{name} has {has} and {other} has {y}. How many more {things} does {name} have?"))
}

fn times_as_many(draw: &mut Draw) -> Problem {
    let ((one, two), thing) = (draw.two_people(), draw.noun(THINGS));
    let (x, times) = (draw.number(2, 10), draw.number(2, 6));
    let (name, other) = (one.name, two.name);
    let (has, things) = (thing.count(x), thing.many);
    Working::new(times, '*', x).then('+', x).answers(format!(
        "{name} has {has}. {other} has {times} times as many. How many {things} do they have together?"
    ))
}

fn older(draw: &mut Draw) -> Problem {
    let (young, old) = draw.two_people();
    let (age, gap) = (draw.number(1, 30), draw.number(1, 20));
    let (name, other) = (young.name, old.name);
    let (years, more) = (YEARS.count(age), YEARS.count(gap));
    Working::new(age, '+', gap)
        .answers(format!("{name} is {years} old. {other} is {more} older. How old is {other}?"))
}

fn shopping(draw: &mut Draw) -> Problem {
    let (person, (many, single)) = (draw.person(), draw.two_things());
    let (n, price, other) = (draw.number(2, 9), draw.number(1, 9), draw.number(1, 20));
    let (name, she, items, item) = (person.name, person.she, many.count(n), single.a());
    Working::new(n, '*', price).then('+', other).answers(format!(
        "{name} buys {items} at ${price} each and {item} for ${other}. How many dollars does {she} spend?"
    ))
}

fn wages(draw: &mut Draw) -> Problem {
    let person = draw.person();
    let (wage, hours) = (draw.number(2, 20), draw.number(2, 9));
    let (name, she, time) = (person.name, person.she, HOURS.count(hours));
    Working::new(wage, '*', hours)
        .answers(format!("{name} earns ${wage} an hour. How many dollars does {she} earn in {time}?"))
}

fn distance(draw: &mut Draw) -> Problem {
    let vehicle = draw.pick(&["bus", "train", "truck", "car", "boat"]);
    let (speed, hours) = (5 * draw.number(2, 20), draw.number(2, 9));
    let time = HOURS.count(hours);
    Working::new(speed, '*', hours)
        .answers(format!("A {vehicle} goes {speed} miles an hour. How many miles does it go in {time}?"))
}

fn pages_left(draw: &mut Draw) -> Problem {
    let person = draw.person();
    let (daily, days) = (draw.number(2, 12), draw.number(2, 9));
    let all = 10 * draw.number((daily * days).div_ceil(10), 15);
    let name = person.name;
    let (book, pages, time) = (PAGES.count(all), PAGES.count(daily), DAYS.count(days));
    Working::new(daily, '*', days).then_of(all, '-').answers(format!(
        "A book has {book}. {name} reads {pages} a day for {time}. How many pages are left?"
    ))
}

fn half(draw: &mut Draw) -> Problem {
    let ((giver, taker), thing) = (draw.two_people(), draw.noun(THINGS));
    let x = 2 * draw.number(1, 25);
    let (name, other) = (giver.name, taker.name);
    let (has, things) = (thing.count(x), thing.many);
    Working::new(x, '/', 2).answers(format!(
        "{name} has {has} and gives half of them to {other}. How many {things} does {name} keep?"
    ))
}

fn packs(draw: &mut Draw) -> Problem {
    let (person, thing, container) = (draw.person(), draw.noun(THINGS), draw.noun(CONTAINERS));
    let (n, each) = (draw.number(1, 10), draw.number(2, 10));
    let x = n * each;
    let (name, she) = (person.name, person.she);
    let (has, boxes) = (thing.count(x), container.many);
    Working::new(x, '/', each)
        .answers(format!("{name} packs {has} into {boxes} of {each}. How many {boxes} does {she} fill?"))
}

fn saves(draw: &mut Draw) -> Problem {
    let (person, wish) = (draw.person(), draw.noun(WISHES));
    let (weeks, weekly) = (draw.number(2, 12), draw.number(2, 12));
    let price = weeks * weekly;
    let (name, she, item) = (person.name, person.she, wish.a());
    Working::new(price, '/', weekly).answers(format!(
        "{name} saves ${weekly} a week for {item} that costs ${price}. How many weeks must {she} save?"
    ))
}
