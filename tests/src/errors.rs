//! How far two results are apart.

/// The norm of the difference over that of the expected values, in the Frobenius norm. What is nothing but
/// rounding has no relative error, and is compared as it is.
pub fn relative<T: Copy + Into<f64>>(found: &[T], expected: &[T]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(expected).map(|(&a, &b)| a.into() - b.into()));
    let size = norm(&mut expected.iter().map(|&v| v.into()));
    if size < 1e-7 { difference } else { difference / size }
}
