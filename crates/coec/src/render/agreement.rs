//! How a device agrees with the CPU.

use coec_train::device::Agreement;

/// In a sentence, how a device agrees with the CPU.
pub fn sentence(agreement: &Agreement) -> String {
    let Agreement { operations, outputs, gradients, distrusted, took } = agreement;
    let without = distrusted
        .as_ref()
        .map_or_else(String::new, |error| format!("; its matrix units do not, and are not used: {error}"));
    format!(
        "{operations} operations agree with the CPU, outputs within {outputs:.0e} and gradients within \
         {gradients:.0e} ({:.1} s){without}",
        took.as_secs_f64()
    )
}
