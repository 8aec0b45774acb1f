//! Pictures as text, in terminals from small to large.

use coec_ir::Figure;
use coec_train::{
    ExpertLine,
    report::{Judged, Standing as Verdict},
    run_dir::Metrics,
};

use super::*;
use crate::story::{Saved, Standing};

/// A number between 0 and 1 for each place, always the same.
fn noise(place: u64) -> f64 {
    let mixed = place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) as f64 / u64::MAX as f64
}

fn line(step: u64) -> Metrics {
    let loss = 0.33 + 5.2 * (-(step as f64) / 40.0).exp();
    let tokens_per_s = 7400.0 + 500.0 * noise(step) - if step < 3 { 2000.0 } else { 0.0 };
    Metrics {
        loss: loss * (1.0 + 0.1 * (noise(step + 1000) - 0.5)),
        aux_loss: 0.0021,
        lr: 3e-3 * (1.0 - step as f64 / 500.0),
        grad_norm: 0.7 + 0.2 * noise(step + 2000),
        tokens_per_s,
        mfu: tokens_per_s / 17_600.0,
        val_loss: step.is_multiple_of(20).then_some(1.06 * loss),
        ..Metrics::new(step, 2048 * step)
    }
}

/// A load with an expert that does too much, and one that does nothing.
fn load(layer: usize, iteration: usize, experts: usize) -> ExpertLine {
    let count = |expert: usize| match (layer, expert) {
        (1, 3) => 0,
        (2, 5) => 420,
        _ => (60.0 + 90.0 * noise((layer * 1000 + iteration * 100 + expert) as u64)) as u64,
    };
    let counts = (0..experts).map(count).collect();
    ExpertLine { schema: "coec/1".into(), step: 200, layer, pass: 0, iteration, counts }
}

fn budgets() -> Vec<Judged> {
    let judged = |rule: &str, figure, actual: f64, target: f64, verdict| {
        let actual = Some(actual).filter(|value| value.is_finite());
        Judged { rule: rule.into(), figure, actual, target: Some(target), verdict }
    };
    vec![
        judged("params.total <= 4M", Figure::ParamsTotal, 3_654_784.0, 4e6, Verdict::Holds),
        judged("flops.forward <= 3.2M @ context=128", Figure::FlopsForward, 3.114e6, 3.2e6, Verdict::Holds),
        judged("experts.calls == 6 per layer", Figure::ExpertsCalls, 6.0, 6.0, Verdict::Holds),
        judged("measured.memory <= 160MiB", Figure::MeasuredMemory, f64::NAN, 1.7e8, Verdict::NotMeasured),
        judged("measured.throughput >= 9000", Figure::MeasuredThroughput, 7600.0, 9000.0, Verdict::Fails),
        judged("warn measured.mfu >= 10%", Figure::MeasuredMfu, 0.43, 0.1, Verdict::Holds),
    ]
}

/// The quickstart after so many steps.
fn story(done: u64) -> Story {
    let mut story = Story::begun("runs/quickstart-1".into(), 400);
    (1..=done).for_each(|step| story.step(line(step), None));
    for (layer, iteration) in (0..4).flat_map(|layer| [(layer, 0), (layer, 1)]) {
        story.experts(load(layer, iteration, 16));
    }
    (story.peak, story.budgets) = (Some(164.4e9), budgets());
    story.saved = Some(Saved { step: 200, at: 0.0 });
    story
}

fn text(story: &Story, columns: usize, rows: usize) -> String {
    let view = View { columns, rows, hint: "q leaves  ↑↓ experts", skipped: 0 };
    let lines = picture(story, 150.0, view);
    assert!(lines.len() <= rows, "{} rows of {rows}", lines.len());
    assert!(lines.iter().all(|line| line.width() <= columns), "wider than {columns}");
    lines.iter().map(Line::plain).collect::<Vec<_>>().join("\n")
}

#[test]
fn in_a_small_terminal() {
    insta::assert_snapshot!(text(&story(212), 40, 12));
}

#[test]
fn in_an_ordinary_terminal() {
    insta::assert_snapshot!(text(&story(212), 80, 24));
}

#[test]
fn in_a_wide_terminal() {
    insta::assert_snapshot!(text(&story(212), 150, 36));
}

#[test]
fn in_a_large_terminal() {
    insta::assert_snapshot!(text(&story(400), 200, 60));
}

#[test]
fn before_the_first_step() {
    insta::assert_snapshot!(text(&Story::begun("runs/tiny-1".into(), 400), 80, 16));
}

#[test]
fn after_the_last_step() {
    let mut story = story(400);
    story.standing = Standing::Done;
    insta::assert_snapshot!(text(&story, 80, 30));
}

#[test]
fn with_more_experts_than_columns_and_more_layers_than_rows() {
    let mut story = story(100);
    for (layer, iteration) in (0..27).flat_map(|layer| [(layer, 0), (layer, 1)]) {
        story.experts(load(layer, iteration, 160));
    }
    insta::assert_snapshot!(text(&story, 100, 40));
}

#[test]
fn a_dense_model_without_budgets_and_with_steps_that_are_no_numbers() {
    let mut story = Story::begun("runs/dense-1".into(), 400);
    (1..=60).map(line).for_each(|line| {
        let loss = if line.step > 57 { f64::NAN } else { line.loss };
        story.step(Metrics { loss, val_loss: None, aux_loss: 0.0, ..line }, None);
    });
    story.standing = Standing::Left;
    insta::assert_snapshot!(text(&story, 80, 24));
}

#[test]
fn every_size_is_filled_and_never_overflows() {
    let mut stories =
        vec![story(212), story(1), story(0), Story::begun("runs/a long name of a run".into(), 0)];
    stories[1].loads.clear();
    stories[2].budgets.clear();
    for story in &stories {
        for (columns, rows) in
            (1..170).step_by(3).flat_map(|columns| (0..50).map(move |rows| (columns, rows)))
        {
            text(story, columns, rows);
        }
    }
}
