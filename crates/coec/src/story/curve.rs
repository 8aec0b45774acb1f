//! A figure over the steps of a run, in as much memory however long the run is.

/// Most buckets of a curve: more than any screen has columns of dots.
const MOST: usize = 2048;

/// Values by step, the means of neighbours where there are too many.
#[derive(Debug, Clone)]
pub struct Curve {
    /// Steps a bucket is wide.
    span: u64,
    buckets: Vec<Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Its place, in spans.
    at: u64,
    steps: f64,
    values: f64,
    count: f64,
}

impl Default for Curve {
    fn default() -> Self {
        Self { span: 1, buckets: Vec::new() }
    }
}

impl Curve {
    /// Adds the value of a step behind those there are. One that is no number leaves a gap.
    pub fn push(&mut self, step: u64, value: f64) {
        if !value.is_finite() {
            return;
        }
        let bucket = Bucket { at: step / self.span, steps: step as f64, values: value, count: 1.0 };
        self.add(bucket);
        while self.buckets.len() > MOST {
            self.span *= 2;
            for mut bucket in std::mem::take(&mut self.buckets) {
                bucket.at /= 2;
                self.add(bucket);
            }
        }
    }

    fn add(&mut self, bucket: Bucket) {
        match self.buckets.last_mut().filter(|last| last.at == bucket.at) {
            Some(last) => {
                last.steps += bucket.steps;
                last.values += bucket.values;
                last.count += bucket.count;
            }
            None => self.buckets.push(bucket),
        }
    }

    /// Its points, as steps and values.
    pub fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.buckets.iter().map(|bucket| (bucket.steps / bucket.count, bucket.values / bucket.count))
    }

    /// The means of what falls into each of `columns` equal parts of the steps up to `end`.
    pub fn columns(&self, columns: usize, end: f64) -> Vec<Option<f64>> {
        let mut sums = vec![(0.0, 0.0); columns];
        for bucket in &self.buckets {
            let place = bucket.steps / bucket.count / end * columns as f64;
            let place = (place.max(0.0) as usize).min(columns.saturating_sub(1));
            if let Some((values, count)) = sums.get_mut(place) {
                *values += bucket.values;
                *count += bucket.count;
            }
        }
        sums.into_iter().map(|(values, count)| (count > 0.0).then(|| values / count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_curve_keeps_its_means_and_its_ends() {
        let mut curve = Curve::default();
        (1..=100_000).for_each(|step| curve.push(step, step as f64));
        let points: Vec<_> = curve.points().collect();
        assert!((MOST / 2..=MOST).contains(&points.len()), "{}", points.len());
        assert!(points.iter().all(|(step, value)| step == value));
        let columns = curve.columns(4, 100_000.0);
        let near = |column: usize, value: f64| (columns[column].unwrap() / value - 1.0).abs() < 0.01;
        assert!(near(0, 12_500.0) && near(3, 87_500.0), "{columns:?}");
    }

    #[test]
    fn what_is_no_number_is_a_gap() {
        let mut curve = Curve::default();
        for (step, value) in [(1, 2.0), (2, f64::NAN), (3, 4.0)] {
            curve.push(step, value);
        }
        assert_eq!(curve.points().collect::<Vec<_>>(), [(1.0, 2.0), (3.0, 4.0)]);
        assert_eq!(curve.columns(3, 3.0), [None, Some(2.0), Some(4.0)]);
    }
}
