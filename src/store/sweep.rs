//! Removing what has expired, for stores whose engine does not.

use std::{fmt, sync::Arc, time::Duration};

use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{
    Answer, StoreError,
    backoff::{Backoff, jittered},
};

/// Removes expired records, for a store that keeps them until somebody does.
///
/// It is never needed for what a session promises: an expired record is absent for every verb, swept or not.
///
/// # The contract
///
/// * A sweep removes what has been expired for as long as it had to live; it may wait that long, so that a store
///   need not note down each touch where it sweeps.
/// * A live record is never removed, however it came to live longer.
/// * A sweep removes as many as it may at most, and answers how many it has removed.
/// * Sweeps at the same time, also from other processes, do not fail and remove nothing twice.
/// * With a record goes what an [index](super::PrincipalIndex) beside it has of it. What the index remembers of a principal
///   and need not any longer is removed as well, and counts as a record does.
pub trait Sweep: Send + Sync + 'static {
    /// Removes expired records, at most so many, and answers how many it has removed: fewer than `most` if there are
    /// no more.
    fn sweep(&self, most: usize) -> Answer<usize>;
}

macro_rules! forward_to_the_inner_store {
    ($($pointer:ident)*) => {$(
        impl<S: Sweep + ?Sized> Sweep for $pointer<S> {
            fn sweep(&self, most: usize) -> Answer<usize> {
                (**self).sweep(most)
            }
        }
    )*};
}

forward_to_the_inner_store! { Arc Box }

/// Sweeps a store now and then, in small batches.
///
/// Every process may run one: each waits for a time of its own. A failed sweep is an event (`tracing`, target
/// `tenure`), and the next is tried later and later, up to sixteen intervals.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`with_interval`](Self::with_interval) | a minute | an expired row costs its room only |
/// | [`with_batch`](Self::with_batch) | 200 | a batch is one transaction; a small one is over in milliseconds |
///
/// ```
/// use std::time::Duration;
/// use tenure::store::{Answer, Sweep, Sweeper};
/// use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
///
/// /// A store without anything to sweep, that tells what it is asked.
/// struct Swept(UnboundedSender<usize>);
///
/// impl Sweep for Swept {
///     fn sweep(&self, most: usize) -> Answer<usize> {
///         self.0.send(most).unwrap();
///         Answer::ready(Ok(0))
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
/// let (sender, mut asked) = unbounded_channel();
/// let sweeper = Sweeper::new(Swept(sender)).with_interval(Duration::from_secs(10)).with_batch(50);
/// let sweeping = sweeper.start();
/// assert_eq!(asked.recv().await, Some(50));
/// drop(sweeping);
/// assert_eq!(asked.recv().await, None); // it has stopped
/// # });
/// ```
#[must_use = "a sweeper does nothing until it is started"]
pub struct Sweeper {
    store: Arc<dyn Sweep>,
    interval: Duration,
    batch: usize,
}

impl Sweeper {
    /// Takes the store to sweep.
    pub fn new(store: impl Sweep) -> Self {
        Self {
            store: Arc::new(store),
            interval: INTERVAL,
            batch: BATCH,
        }
    }

    /// Sets how long to wait between sweeps: at least half of this, at most this. Default: a minute.
    pub const fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets how many records one statement removes at most. Default: 200. Zero is taken for one.
    pub const fn with_batch(mut self, most: usize) -> Self {
        self.batch = if most == 0 { 1 } else { most };
        self
    }

    /// Starts to sweep in a task, until the handle is dropped.
    ///
    /// # Panics
    ///
    /// Outside of tokio's runtime.
    pub fn start(self) -> Sweeping {
        Sweeping(tokio::spawn(self.run()))
    }

    async fn run(self) {
        let mut backoff = Backoff::new(self.interval * 2, self.interval * 16);
        let mut wait = jittered(self.interval);
        loop {
            sleep(wait).await;
            wait = match self.sweep().await {
                Ok(()) => {
                    backoff.reset();
                    jittered(self.interval)
                }
                Err(error) => {
                    let error: &(dyn std::error::Error + 'static) = &error;
                    tracing::warn!(target: "tenure", error, "sweep_failed");
                    backoff.wait()
                }
            };
        }
    }

    /// Removes batch after batch, until one is not full.
    async fn sweep(&self) -> Result<(), StoreError> {
        loop {
            let swept = timeout(ANSWER_TIMEOUT, self.store.sweep(self.batch)).await;
            if swept.map_err(StoreError::unknown)?? < self.batch {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
    }
}

impl fmt::Debug for Sweeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweeper")
            .field("interval", &self.interval)
            .field("batch", &self.batch)
            .finish_non_exhaustive()
    }
}

/// A sweeper at work. It stops when this is dropped.
#[derive(Debug)]
#[must_use = "sweeping stops when its handle is dropped"]
pub struct Sweeping(JoinHandle<()>);

impl Drop for Sweeping {
    fn drop(&mut self) {
        self.0.abort();
    }
}

const INTERVAL: Duration = Duration::from_secs(60);
const BATCH: usize = 200;
/// Between two batches, so that requests have their turn.
const PAUSE: Duration = Duration::from_millis(10);
/// A batch takes milliseconds; a store that takes this long does not answer at all.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
