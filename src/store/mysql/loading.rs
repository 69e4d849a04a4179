//! Loads, several to a statement: a connection carries one at a time, and those that wait for one may share it.

use std::collections::BTreeMap;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{MySqlStore, finish::Finished};
use crate::{
    id::Handle,
    store::{Loaded, StoreError},
    sync::Mutex,
};

type Answer = Result<Option<Loaded>, StoreError>;

/// The loads that wait for a place, in the order in which they came.
#[derive(Default)]
pub(super) struct Loads(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: BTreeMap<u64, Load>,
    came: u64,
}

/// A load, and who waits for it.
struct Load {
    handle: Handle,
    answer: oneshot::Sender<Answer>,
}

/// A load among those that wait; it is taken out when this is dropped.
struct Waiting<'a> {
    loads: &'a Loads,
    number: u64,
}

impl Loads {
    fn add(&self, load: Load) -> Waiting<'_> {
        let mut state = self.0.lock();
        state.came += 1;
        let number = state.came;
        state.waiting.insert(number, load);
        Waiting {
            loads: self,
            number,
        }
    }
}

impl Waiting<'_> {
    /// Takes it out, and those with it that have waited for longest; `None` if somebody else has.
    fn take_with_others(&self) -> Option<Vec<Load>> {
        let mut state = self.loads.0.lock();
        let own = state.waiting.remove(&self.number)?;
        let others = std::iter::from_fn(|| state.waiting.pop_first());
        let others = others.take(MOST - 1).map(|(_, load)| load);
        Some([own].into_iter().chain(others).collect())
    }

    /// Takes it out, unless somebody else has.
    fn take(&self) -> Option<Load> {
        self.loads.0.lock().waiting.remove(&self.number)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.take();
    }
}

impl MySqlStore {
    /// Loads a record: at once if there is a free place, else together with others that wait for one.
    pub(super) async fn load_one(self, handle: Handle) -> Answer {
        let Some(place) = self.0.places.free() else {
            return self.load_with_others(handle).await;
        };
        let connection = self.0.places.connection(place).await?;
        let loading = self.read_on(connection, move |store, mut connection| async move {
            let loaded = connection.load(&store.0, handle).await;
            (loaded, connection)
        });
        Finished::new(loading).await
    }

    /// Waits for a place, or until somebody who has got one has taken this load with his.
    async fn load_with_others(self, handle: Handle) -> Answer {
        let (answer, mut answered) = oneshot::channel();
        let waiting = self.0.loads.add(Load { handle, answer });
        let place = tokio::select! {
            biased;
            answer = &mut answered => return answer.map_err(StoreError::unknown)?,
            place = self.0.places.place() => place,
        };
        match place {
            Ok(place) => {
                if let Some(loads) = waiting.take_with_others() {
                    // In a task of its own: the others do not depend on who waits for this one.
                    tokio::spawn(self.clone().carry_out(place, loads));
                }
            }
            Err(error) => {
                if waiting.take().is_some() {
                    return Err(error);
                }
            }
        }
        answered.await.map_err(StoreError::unknown)?
    }

    async fn carry_out(self, place: OwnedSemaphorePermit, loads: Vec<Load>) {
        let mut handles: Vec<_> = loads.iter().map(|load| load.handle).collect();
        handles.sort_unstable();
        handles.dedup();
        let found = match self.0.places.connection(place).await {
            Ok(connection) => {
                let find = self.read_on(connection, |store, mut connection| {
                    let handles = handles.clone();
                    async move {
                        let found = connection.load_some(&store.0, &handles).await;
                        (found, connection)
                    }
                });
                find.await
            }
            Err(error) => Err(error),
        };
        for Load { handle, answer } in loads {
            let found = found.as_ref().map(|found| found.get(&handle));
            // Some have stopped waiting.
            drop(answer.send(match found {
                Ok(Some(Ok(loaded))) => Ok(loaded.clone()),
                Ok(None) => Ok(None),
                Ok(Some(Err(error))) | Err(error) => Err(error.again()),
            }));
        }
    }
}

/// How many loads share a statement at most, so that none waits long for the rows of the others.
pub(super) const MOST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn add(loads: &Loads) -> (Waiting<'_>, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        let handle = Handle::from_bytes([7; 16]);
        (loads.add(Load { handle, answer }), answered)
    }

    #[test]
    fn a_load_that_nobody_waits_for_any_longer_keeps_no_place() {
        let loads = Loads::default();
        let (first, second) = (add(&loads), add(&loads));
        drop(first);
        assert_eq!(loads.0.lock().waiting.len(), 1);
        drop(second);
        assert!(loads.0.lock().waiting.is_empty());
    }

    #[test]
    fn a_load_is_taken_by_one_alone_and_with_those_that_have_waited_for_longest() {
        let loads = Loads::default();
        let all: Vec<_> = (0..MOST + 4).map(|_| add(&loads)).collect();
        let taken = all[MOST + 2].0.take_with_others();
        assert_eq!(taken.map(|taken| taken.len()), Some(MOST));
        let left: Vec<_> = loads.0.lock().waiting.keys().copied().collect();
        assert_eq!(left, [16, 17, 18, 20]);
        assert!(all[0].0.take_with_others().is_none());
        assert!(all[0].0.take().is_none());
        assert!(all[MOST].0.take().is_some());
    }
}
