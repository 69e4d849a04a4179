//! The sweeper: batches, back-off, its end. The store is a count; time is tokio's, and stands still.

#![expect(clippy::disallowed_methods, reason = "the test moves this clock")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tenure::store::{Answer, StoreError, Sweep, Sweeper};
use tokio::time::{Instant, advance, sleep};

/// Holds so many expired records, and notes when it was swept.
#[derive(Clone)]
struct Heap(Arc<Mutex<State>>);

struct State {
    expired: usize,
    fails: bool,
    start: Instant,
    sweeps: Vec<Duration>,
}

impl Heap {
    fn of(expired: usize) -> Self {
        let start = Instant::now();
        Self(Arc::new(Mutex::new(State {
            expired,
            fails: false,
            start,
            sweeps: Vec::new(),
        })))
    }

    fn fail(&self, fails: bool) {
        self.0.lock().unwrap().fails = fails;
    }

    fn expired(&self) -> usize {
        self.0.lock().unwrap().expired
    }

    /// Returns when it was swept since it was last asked.
    fn sweeps(&self) -> Vec<Duration> {
        std::mem::take(&mut self.0.lock().unwrap().sweeps)
    }
}

impl Sweep for Heap {
    fn sweep(&self, most: usize) -> Answer<usize> {
        let mut state = self.0.lock().unwrap();
        let at = state.start.elapsed();
        state.sweeps.push(at);
        if state.fails {
            return Answer::ready(Err(StoreError::unavailable("down")));
        }
        let swept = most.min(state.expired);
        state.expired -= swept;
        Answer::ready(Ok(swept))
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_sweep_goes_on_batch_by_batch_until_one_is_not_full() {
    let heap = Heap::of(25);
    let _sweeping = Sweeper::new(heap.clone()).with_batch(10).start();
    sleep(MINUTE * 2).await;
    assert_eq!(heap.expired(), 0);
    let sweeps = heap.sweeps();
    assert!(sweeps[2] - sweeps[0] < Duration::from_secs(1), "{sweeps:?}");
    assert!(sweeps[3] - sweeps[2] >= MINUTE / 2, "{sweeps:?}");
}

#[tokio::test(start_paused = true)]
async fn sweeps_are_between_half_an_interval_and_one_apart() {
    let heap = Heap::of(0);
    let _sweeping = Sweeper::new(heap.clone()).with_interval(MINUTE).start();
    sleep(MINUTE * 30).await;
    let mut before = Duration::ZERO;
    for at in heap.sweeps() {
        let apart = at - before;
        assert!(
            apart >= MINUTE / 2 && apart <= MINUTE + Duration::from_millis(10),
            "{apart:?}"
        );
        before = at;
    }
    assert!(before > MINUTE * 28, "the last was at {before:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failing_store_is_tried_later_and_later_and_then_as_often_as_before() {
    let heap = Heap::of(0);
    heap.fail(true);
    let _sweeping = Sweeper::new(heap.clone()).with_interval(MINUTE).start();
    sleep(MINUTE * 160).await;
    let failed = heap.sweeps();
    let gaps: Vec<_> = failed.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        gaps[0] <= MINUTE * 2 + Duration::from_millis(10),
        "{gaps:?}"
    );
    assert!(gaps.iter().any(|gap| *gap > MINUTE * 8), "{gaps:?}");
    assert!(gaps.iter().all(|gap| *gap <= MINUTE * 17), "{gaps:?}");
    heap.fail(false);
    sleep(MINUTE * 17).await;
    heap.sweeps();
    sleep(MINUTE * 10).await;
    assert!(heap.sweeps().len() >= 9, "it sweeps as often as before");
}

#[tokio::test(start_paused = true)]
async fn sweeping_stops_when_its_handle_is_dropped() {
    let heap = Heap::of(0);
    let sweeping = Sweeper::new(heap.clone()).start();
    sleep(MINUTE * 3).await;
    assert!(heap.sweeps().len() >= 2);
    drop(sweeping);
    advance(MINUTE * 3).await;
    sleep(MINUTE).await;
    assert_eq!(heap.sweeps(), []);
}
