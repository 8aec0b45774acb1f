//! `coec fit`: integers that make a spec cost what another does.

use std::path::{Component, Path, PathBuf};

use coec_ir::cost::Cost;
use coec_ir::{Figure, Quantity, Rule, Target, diff};
use coec_lang::{Candidate, Fit, FitError, Matched, Spec, fit, load_one};
use serde_json::{Map, Value, json};

use crate::{
    arguments,
    cli::FitArgs,
    disk::{Disk, STDIN},
    failure::{Done, Failure},
    render::{
        self,
        figure::{ACTIVE, CONVENTION, FigureValue, cell, setting},
        json::print_json,
        number,
        table::Table,
    },
    written::written,
};

pub fn run(args: &FitArgs) -> Result<Done, Failure> {
    let (path, matches) = with_input(args)?;
    let spec = load_one(&path, &args.set.sets, &Disk)?;
    let found = fit(&spec, &args.free, &matches, &args.tolerance, &Disk)?;
    if !found.best.holds() {
        match args.json.json {
            true => print_json(&document(&spec, &found, None)),
            false => show_nearest(&found, &args.tolerance),
        }
        return Ok(Done::BudgetFails);
    }
    let rules: Vec<Rule> =
        found.best.matched.iter().map(|matched| held(matched, args.out.as_deref())).collect();
    let is_file = match &args.out {
        Some(out) => {
            let from = spec.path.as_deref().filter(|path| *path != Path::new(STDIN)).and_then(Path::parent);
            let relocate = |text: &str| relocated(text, from.unwrap_or(Path::new("")), out);
            let text = found.text(&spec, &found.best, &rules, Some(&relocate));
            written(out, &text, "coec::fit::unwritable")?
        }
        None => false,
    };
    if args.json.json {
        print_json(&document(&spec, &found, args.out.as_deref()));
        return Ok(Done::Well);
    }
    show(&spec, &found);
    match &args.out {
        Some(out) if is_file => render::line(&format!("wrote {}", out.display())),
        Some(_) => {}
        None => {
            render::line("what holds the pair, for a budget (`--out SPEC` writes it):");
            rules.iter().for_each(|rule| render::line(&format!("    {}", coec_ir::text::rule(rule))));
        }
    }
    Ok(Done::Well)
}

impl From<FitError> for Failure {
    fn from(error: FitError) -> Self {
        match error {
            FitError::Spec(diagnostics) => Self::Spec(diagnostics),
            error => Self::input(error.code(), error.to_string(), error.help()),
        }
    }
}

/// The rule as the spec at `out` says it: what it names is found from there. Standard input is gone by then,
/// and is held to as the number it was.
fn held(matched: &Matched, out: Option<&Path>) -> Rule {
    let mut rule = matched.rule.clone();
    if let Target::Figure { spec: Some(text), .. } = &mut rule.target {
        if text.starts_with(STDIN) {
            rule.target = Target::Number(matched.target.clone());
        } else if let Some(out) = out {
            *text = relocated(text, Path::new(""), out);
        }
    }
    rule
}

/// The spec and the matches, standard input read where one of them is `-`.
fn with_input(args: &FitArgs) -> Result<(String, Vec<String>), Failure> {
    // Each match in three: the figure with its `=`, the spec or number, the conditions.
    let parts: Vec<[&str; 3]> = args
        .matches
        .iter()
        .map(|text| {
            let start = text.find('=').map_or(text.len(), |at| at + 1);
            let end = text[start..].find(" @ ").map_or(text.len(), |at| start + at);
            [&text[..start], &text[start..end], &text[end..]]
        })
        .collect();
    let named = std::iter::once(args.spec.as_str()).chain(parts.iter().map(|part| part[1].trim()));
    let named: Vec<String> = named.map(str::to_owned).collect();
    let mut named = arguments::specs(&named)?.into_iter();
    let spec = named.next().unwrap_or_default();
    let matches = parts.iter().zip(named).map(|([figure, _, tail], right)| format!("{figure}{right}{tail}"));
    Ok((spec, matches.collect()))
}

/// The path of a file, relative to `from`, as it is named from the folder of `out`.
fn relocated(text: &str, from: &Path, out: &Path) -> String {
    let absolute =
        |path: &Path| std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| normal(&path));
    let to = absolute(out.parent().unwrap_or(Path::new("")).join(".").as_path());
    if Path::new(text).is_absolute() || to == absolute(&from.join(".")) {
        return text.to_owned();
    }
    let target = absolute(&from.join(text));
    let shared = target.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = to.components().skip(shared).map(|_| Component::ParentDir);
    let path: PathBuf = up.chain(target.components().skip(shared)).collect();
    path.to_str().map_or_else(|| text.to_owned(), str::to_owned)
}

/// Without `.` and `..`, as far as the text tells.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

/// What was found, the figures side by side.
fn show(spec: &Spec, found: &Fit) {
    for (field, value) in &found.best.values {
        render::line(&format!("{field} = {value}"));
    }
    render::line("");
    let own = Cost::of(&found.best.model, found.setting);
    let mut header = vec!["figure".to_string(), format!("{} (fitted)", spec.model.name)];
    for other in &found.others {
        header.extend([other.model.name.clone(), "differs".to_string()]);
    }
    header.push("unit".into());
    let mut table = Table::new(header);
    let others: Vec<Cost> = found.others.iter().map(|other| Cost::of(&other.model, found.setting)).collect();
    for (figure, _) in own.figures() {
        let value = |cost: &Cost| cost.figure(figure).unwrap_or_default().to_string();
        let mut row = vec![figure.name().to_string(), cell(figure, &value(&own))];
        for other in &others {
            row.extend([cell(figure, &value(other)), differs(figure, other, &own)]);
        }
        row.push(figure.unit().word().into());
        table.push(row);
    }
    table.lines().iter().for_each(|text| render::line(text));
    render::line(&format!("({}; {CONVENTION})", setting(found.setting)));
    render::line(&format!("({ACTIVE})"));
    for matched in &found.best.matched {
        let rule = coec_ir::text::rule(&matched.rule);
        render::line(&format!("{rule}: {}", signed(matched.deviation())));
    }
}

/// By how much a figure of the fitted model differs from another's.
fn differs(figure: Figure, other: &Cost, own: &Cost) -> String {
    let change = diff::figures(other, own).into_iter().find(|change| change.figure == figure);
    match change {
        Some(change) if change.is_equal() => "equal".into(),
        Some(change) => change
            .relative()
            .map_or("differs".into(), |share| signed(share.numerator as f64 / share.denominator as f64)),
        None => String::new(),
    }
}

/// A share with its sign: `+11.0%`.
fn signed(share: f64) -> String {
    let percent = 100.0 * share;
    match percent.abs() {
        0.0 => "equal".into(),
        size if size < 0.01 => format!("{percent:+.4}%"),
        size if size < 1000.0 => format!("{percent:+.2}%"),
        _ => format!("{percent:+.0}%"),
    }
}

/// That nothing is near enough, and what is nearest.
fn show_nearest(found: &Fit, tolerance: &str) {
    render::line(&format!("no value is within {tolerance}; the nearest:"));
    let sides = [&found.below, &found.above];
    let mut shown: Vec<&Candidate> = sides.into_iter().flatten().collect();
    if shown.is_empty() {
        shown.push(&found.best);
    }
    for candidate in shown {
        let values = candidate.values.iter().map(|(field, value)| format!("{field} = {value}"));
        let figures = candidate.matched.iter().map(|matched| {
            let figure = matched.rule.figure;
            let value = cell(figure, &digits(&matched.actual));
            format!(
                "{} {value} ({} of {})",
                figure.name(),
                signed(matched.deviation()),
                number_of(figure, &matched.target)
            )
        });
        let (values, figures) =
            (values.collect::<Vec<_>>().join(", "), figures.collect::<Vec<_>>().join(", "));
        render::line(&format!("    {values}: {figures}"));
    }
}

fn digits(value: &Quantity) -> String {
    value.to_integer().map_or_else(|| value.text().to_owned(), |whole| whole.to_string())
}

fn number_of(figure: Figure, value: &Quantity) -> String {
    match value.to_integer() {
        Some(whole) => cell(figure, &whole.to_string()),
        None => number::short(value.to_f64(), figure.unit()),
    }
}

fn document(spec: &Spec, found: &Fit, out: Option<&Path>) -> Value {
    let others: Vec<Value> =
        found.others.iter().map(|other| json!({ "spec": other.text, "model": other.model.name })).collect();
    let holds = found.best.holds();
    json!({
        "schema": coec_ir::SCHEMA,
        "model": spec.model.name,
        "setting": found.setting,
        "convention": CONVENTION,
        "holds": holds,
        "solution": if holds { values(&found.best) } else { Value::Null },
        "matched": matched(&found.best),
        "nearest": {
            "below": found.below.as_ref().map(side),
            "above": found.above.as_ref().map(side),
        },
        "others": others,
        "figures": figures(found),
        "written": out,
    })
}

fn side(candidate: &Candidate) -> Value {
    json!({ "solution": values(candidate), "matched": matched(candidate) })
}

fn values(candidate: &Candidate) -> Value {
    candidate.values.iter().map(|(field, value)| (field.clone(), json!(value))).collect::<Map<_, _>>().into()
}

fn matched(candidate: &Candidate) -> Vec<Value> {
    let one = |matched: &Matched| {
        let figure = matched.rule.figure;
        let value = |quantity: &Quantity| match quantity.to_integer() {
            Some(whole) => json!(FigureValue::new(figure, whole)),
            None => json!(quantity.to_f64()),
        };
        json!({
            "figure": figure.name(),
            "actual": value(&matched.actual),
            "target": value(&matched.target),
            "deviation": matched.deviation(),
            "holds": matched.holds,
        })
    };
    candidate.matched.iter().map(one).collect()
}

/// Every figure of the fitted model, and of those it was fitted to.
fn figures(found: &Fit) -> Value {
    let own = Cost::of(&found.best.model, found.setting);
    let others: Vec<Cost> = found.others.iter().map(|other| Cost::of(&other.model, found.setting)).collect();
    let of = |(figure, own_value)| {
        let value = |cost: &Cost| Some(FigureValue::new(figure, cost.figure(figure)?));
        let differs = |other: &Cost| {
            let change = diff::figures(other, &own).into_iter().find(|change| change.figure == figure)?;
            let share = change.relative()?;
            Some(share.numerator as f64 / share.denominator as f64)
        };
        let others: Vec<Value> = others
            .iter()
            .map(|other| json!({ "value": value(other), "difference": differs(other) }))
            .collect();
        (figure.name().to_string(), json!({ "value": FigureValue::new(figure, own_value), "others": others }))
    };
    own.figures().map(of).collect::<Map<_, _>>().into()
}
