//! A comparison for people.

use coec_ir::{Unit, counted};
use coec_train::experiment::Difference;

use super::Plan;
use super::fairness::Excess;
use super::results::{ArmResult, AtEqual, Pair};
use crate::{
    experiments::jobs::Jobs,
    render::{figure::cell, line, number, table::Table},
};

/// That arms do not cost the same.
pub fn unfair(plan: &Plan) {
    for (first, second, found) in plan.unfair_pairs() {
        line(&format!("not compute-fair: {} against {}", first.name, second.name));
        for excess in found {
            let Excess { figure, values: [a, b], tolerance } = excess;
            line(&format!(
                "    {}: {} against {}, {:+.2}% (allowed: {tolerance})",
                figure.name(),
                cell(*figure, &a.to_string()),
                cell(*figure, &b.to_string()),
                100.0 * excess.share()
            ));
        }
    }
}

/// That they do.
pub fn fair(plan: &Plan) {
    let words =
        plan.demands().iter().map(|demand| format!("{} within {}", demand.figure.name(), demand.tolerance));
    line(&format!("compute-fair: {}", words.collect::<Vec<_>>().join(", ")));
}

/// What is about to be done.
pub fn begins(plan: &Plan, runs: usize, jobs: &Jobs) {
    let Jobs { side_by_side, threads, .. } = *jobs;
    let names: Vec<&str> = plan.arms.iter().map(|arm| arm.name.as_str()).collect();
    let beside = match side_by_side {
        1 => "one after the other".to_owned(),
        n => format!("{n} side by side"),
    };
    line(&format!(
        "{}: {runs} runs, {beside}, {threads} threads each, in {}",
        names.join(" against "),
        plan.dir.display()
    ));
    if let Some(arm) = plan.arms.iter().find(|arm| arm.is_evaluated_more_often()) {
        line(&format!(
            "evaluated every {}, so that losses can be told where as much was spent (train.eval)",
            counted(arm.train.eval.every, "step")
        ));
    }
}

/// The results.
pub fn results(arms: &[ArmResult], pairs: &[Pair], seeds: &[u64]) {
    let mut header = vec!["arm".to_string(), "validation loss".to_string(), "std".to_string()];
    header.extend(seeds.iter().map(|seed| format!("seed {seed}")));
    let mut table = Table::new(header);
    for arm in arms {
        let std = arm.val_loss.std.map_or("-".into(), |std| format!("{std:.4}"));
        let mut row = vec![arm.name.clone(), format!("{:.4}", arm.val_loss.mean), std];
        row.extend(arm.val_loss.values.iter().map(|loss| format!("{loss:.4}")));
        table.push(row);
    }
    line("");
    table.lines().iter().for_each(|text| line(text));
    for arm in arms {
        if let Some(tuned) = &arm.tuned {
            let all: Vec<String> =
                tuned.val_loss.iter().map(|(value, loss)| format!("{value}: {loss:.4}")).collect();
            line(&format!(
                "{}: {} = {} is its best ({})",
                arm.name,
                tuned.field,
                tuned.value,
                all.join(", ")
            ));
        }
    }
    for pair in pairs {
        of_pair(pair);
    }
}

fn of_pair(pair: &Pair) {
    line("");
    let label = match pair.differs_by.as_slice() {
        [] => String::new(),
        differs => format!(", not compute-fair: {}", differs.join(", ")),
    };
    line(&format!("{} less {}{label}", pair.a, pair.b));
    let header = ["at equal", "", "difference", "low", "high"].map(String::from);
    let mut table = Table::new(header.to_vec());
    for AtEqual { axis, spent, difference } in pair.at_equal.iter().chain(&pair.at_equal_time) {
        let spent = match *axis {
            "seconds" => format!("{spent:.1}"),
            _ => number::short(*spent, Unit::Calls),
        };
        let Difference { mean, low, high, .. } = difference;
        let end = |end: &Option<f64>| end.map_or("-".into(), |end| format!("{end:+.4}"));
        table.push(vec![axis.to_string(), spent, format!("{mean:+.4}"), end(low), end(high)]);
    }
    table.lines().iter().for_each(|text| line(text));
    line(&pair.sentence);
}
