//! The learning rate over the steps, every shape at its edges.

use coec_ir::{
    Amount::{Share, Steps},
    Schedule, ScheduleShape,
};

/// Every factor of a run of `total` steps.
fn factors(shape: ScheduleShape, warmup: usize, total: usize) -> Vec<f64> {
    let schedule = Schedule { shape, warmup: Steps(warmup) };
    (0..total).map(|step| schedule.factor(step, total)).collect()
}

fn wsd(decay: usize) -> ScheduleShape {
    ScheduleShape::Wsd { decay: Steps(decay) }
}

fn assert_factors(found: Vec<f64>, expected: &[f64]) {
    let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12);
    assert!(close && found.len() == expected.len(), "{found:?} is not {expected:?}");
}

const SHAPES: [ScheduleShape; 4] = [
    ScheduleShape::Constant,
    ScheduleShape::Linear,
    ScheduleShape::Cosine,
    ScheduleShape::Wsd { decay: Steps(2) },
];

#[test]
fn the_warm_up_rises_from_its_first_share_to_the_peak() {
    for shape in SHAPES {
        assert_factors(factors(shape, 4, 10)[..4].to_vec(), &[0.25, 0.5, 0.75, 1.0]);
    }
}

#[test]
fn the_step_after_the_warm_up_has_the_peak() {
    for shape in SHAPES {
        assert_eq!(factors(shape, 4, 10)[4], 1.0, "{shape:?}");
    }
}

#[test]
fn without_a_warm_up_the_first_step_has_the_peak() {
    for shape in SHAPES {
        assert_eq!(factors(shape, 0, 10)[0], 1.0, "{shape:?}");
    }
}

#[test]
fn a_warm_up_of_all_steps_ends_at_the_peak() {
    for shape in SHAPES {
        assert_factors(factors(shape, 4, 4), &[0.25, 0.5, 0.75, 1.0]);
    }
}

#[test]
fn constant_keeps_the_peak() {
    assert_factors(factors(ScheduleShape::Constant, 1, 5), &[1.0; 5]);
}

/// The step after the last would be at 0: the last one still learns.
#[test]
fn linear_ends_one_step_above_zero() {
    assert_factors(factors(ScheduleShape::Linear, 1, 6), &[1.0, 1.0, 0.8, 0.6, 0.4, 0.2]);
}

/// By the half angle: (1 + cos a) / 2 = cos^2(a / 2).
#[test]
fn cosine_is_half_a_cosine() {
    let (warmup, total) = (3, 13);
    let found = factors(ScheduleShape::Cosine, warmup, total);
    for (step, found) in found.into_iter().enumerate().skip(warmup) {
        let quarter = std::f64::consts::FRAC_PI_2 * (step - warmup) as f64 / 10.0;
        assert!((found - quarter.cos().powi(2)).abs() < 1e-12, "step {step}: {found}");
    }
}

#[test]
fn wsd_stays_at_the_peak_and_falls_over_its_last_steps() {
    assert_factors(factors(wsd(4), 2, 9), &[0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]);
}

/// The descent is as steep as it was asked for, and begins where the warm-up ends.
#[test]
fn a_decay_longer_than_the_rest_begins_on_its_way_down() {
    assert_factors(factors(wsd(8), 2, 6), &[0.5, 1.0, 0.5, 0.375, 0.25, 0.125]);
}

#[test]
fn a_decay_of_no_steps_stays_at_the_peak() {
    assert_factors(factors(wsd(0), 0, 3), &[1.0; 3]);
}

#[test]
fn shares_are_of_all_steps_rounded() {
    let schedule = |shape, warmup| Schedule { shape, warmup: Share(warmup) };
    assert_eq!(schedule(ScheduleShape::Constant, 0.1).factor(0, 26), 1.0 / 3.0);
    assert_eq!(schedule(ScheduleShape::Constant, 0.0).factor(0, 26), 1.0);
    assert_eq!(schedule(ScheduleShape::Constant, 1.0).factor(25, 26), 1.0);
    let wsd = ScheduleShape::Wsd { decay: Share(0.5) };
    assert_eq!(schedule(wsd, 0.0).factor(15, 20), 0.5);
}

#[test]
fn a_single_step_has_the_peak() {
    for shape in [ScheduleShape::Constant, ScheduleShape::Linear, ScheduleShape::Cosine, wsd(1)] {
        for warmup in [0, 1] {
            assert_eq!(factors(shape, warmup, 1), [1.0], "{shape:?}");
        }
    }
}
