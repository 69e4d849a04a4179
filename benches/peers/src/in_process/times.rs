//! How long a request takes.

use std::time::Instant;

use crate::{
    implementations::{Answers, IMPLEMENTATIONS},
    options::Options,
    statistics::{at, sorted},
    workload::Workload,
};

/// How many batches of one implementation are timed in a round; a tenth as many warm it up.
const BATCHES: usize = 20;
const BATCH: u32 = 1_000;

/// What one request takes above a layer that does nothing, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    pub(crate) p10: f64,
    pub(crate) median: f64,
    pub(crate) p90: f64,
}

/// Measures a workload with all implementations in turns; of those that do nothing the whole time is told.
pub(crate) fn measure(workload: &Workload, options: &Options) -> Vec<Time> {
    let mut above: Vec<Vec<f64>> = IMPLEMENTATIONS.iter().map(|_| Vec::new()).collect();
    for _ in 0..options.rounds {
        for batch in round(workload, options) {
            for (index, implementation) in IMPLEMENTATIONS.iter().enumerate() {
                let base = match implementation.is_noop() {
                    true => 0.0,
                    false => batch[implementation.base()],
                };
                above[index].push(batch[index] - base);
            }
        }
    }
    above.into_iter().map(spread).collect()
}

/// Sends batches to all in turns; returns what a request of each batch took.
///
/// A batch is compared with that of the layer that does nothing in the same turn: what the machine does to one it does
/// to the other.
fn round(workload: &Workload, options: &Options) -> Vec<Vec<f64>> {
    let prepare = |implementation: &crate::implementations::Implementation| {
        (implementation.prepare)(workload)
    };
    let mut subjects: Vec<_> = IMPLEMENTATIONS.iter().map(prepare).collect();
    let batches = if options.is_quick {
        BATCHES / 10
    } else {
        BATCHES
    };
    let mut turn = || {
        subjects
            .iter_mut()
            .map(|subject| send_batch(&mut **subject))
            .collect()
    };
    (0..batches / 10).for_each(|_| drop::<Vec<f64>>(turn()));
    (0..batches).map(|_| turn()).collect()
}

fn send_batch(subject: &mut dyn Answers) -> f64 {
    subject.prepare(BATCH);
    let start = Instant::now();
    (0..BATCH).for_each(|_| subject.answer());
    start.elapsed().as_nanos() as f64 / f64::from(BATCH)
}

fn spread(times: Vec<f64>) -> Time {
    let times = sorted(times.into_iter());
    let [p10, median, p90] = [0.1, 0.5, 0.9].map(|part| at(&times, part));
    Time { p10, median, p90 }
}
