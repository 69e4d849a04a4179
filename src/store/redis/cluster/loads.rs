//! Many records at once: a trip to each node that has some of them, all at the same time.

use std::sync::Arc;

use ::redis::Value;
use tokio::task::JoinSet;

use super::{
    super::{connection::Said, keys::Key, many, node::Way, script::Request, slots::slot},
    Cluster, Member,
};
use crate::store::StoreError;

impl Cluster {
    /// Loads records, and answers for each as a load does.
    pub(in super::super) async fn load_all(&self, keys: &[Key]) -> Result<Vec<Said>, StoreError> {
        let mut said: Vec<Said> = keys.iter().map(|_| Ok(Value::Nil)).collect();
        let mut trips = JoinSet::new();
        for trip in self.trips(keys)? {
            trips.spawn(trip.make());
        }
        while let Some(answered) = trips.join_next().await {
            let (places, answers) = answered.map_err(StoreError::unknown)?;
            let answers = answers.inspect_err(|_| self.members.is_stale.notify_one())?;
            for (place, answer) in places.into_iter().zip(answers) {
                said[place] = answer;
            }
        }
        for (key, said) in keys.iter().zip(&mut said) {
            if is_elsewhere(said) {
                *said = self
                    .carry_out(Way::Reading, key, &Request::load(&key.name))
                    .await?;
            }
        }
        Ok(said)
    }

    fn trips(&self, keys: &[Key]) -> Result<Vec<Trip>, StoreError> {
        let mut trips: Vec<Trip> = Vec::new();
        for (place, key) in keys.iter().enumerate() {
            let member = self.member(slot(&key.name))?;
            let known = trips
                .iter()
                .position(|trip| Arc::ptr_eq(&trip.member, &member));
            let known = known.unwrap_or_else(|| {
                trips.push(Trip::to(member));
                trips.len() - 1
            });
            trips[known].keys.push(key.clone());
            trips[known].places.push(place);
        }
        Ok(trips)
    }
}

/// What is asked of one node, and the places of it in all that is asked.
struct Trip {
    member: Arc<Member>,
    keys: Vec<Key>,
    places: Vec<usize>,
}

impl Trip {
    const fn to(member: Arc<Member>) -> Self {
        Self {
            member,
            keys: Vec::new(),
            places: Vec::new(),
        }
    }

    async fn make(self) -> (Vec<usize>, Result<Vec<Said>, StoreError>) {
        let answers = match self.member.node.connection().await {
            Ok(connection) => many::load_all(&connection, &self.keys).await,
            Err(error) => Err(error),
        };
        (self.places, answers)
    }
}

/// Tells whether a node has pointed at another.
fn is_elsewhere(said: &Said) -> bool {
    matches!(said, Err(error) if ["ASK", "MOVED"].contains(&error.code()))
}
