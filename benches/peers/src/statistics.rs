//! Medians and other parts of what was measured.

/// Puts figures in order.
pub(crate) fn sorted(figures: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures
}

/// Returns the figure below which a part of the others lies.
pub(crate) fn at(sorted: &[f64], part: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * part).round() as usize]
}

/// Returns the one in the middle.
pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    at(&sorted(figures), 0.5)
}
