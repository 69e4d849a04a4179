//! All keys of a cluster, a node after the other, while slots may move.
//!
//! A key that moves from a node that is yet to be looked at to one that has been would be missed. So each step asks its
//! node too who has which slots, and whether it is giving one away or taking one. If the nodes or their slots are
//! others than at the beginning of the round, the round is begun anew. If a slot was on its way, there is a second
//! round: a key that moves once is at rest in one of the two.

use std::{
    collections::BTreeSet,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use ::redis::{Value, from_redis_value};

use super::{
    super::{
        address::Address,
        connection::Said,
        failure,
        keys::Keys,
        many::{Page, no_place},
        resp::Command,
        slots::Slots,
        strange,
    },
    Cluster, Member,
};
use crate::store::{Cursor, StoreError, Walked};

impl Cluster {
    /// Finds some keys of sessions.
    pub(in super::super) async fn walk(
        &self,
        keys: &Keys,
        from: Option<&Cursor>,
        most: usize,
    ) -> Result<Walked, StoreError> {
        let place = match from {
            None => return self.begin(Round::First).await,
            Some(cursor) => Place::parse(cursor.as_str()).ok_or_else(no_place)?,
        };
        match self.known(&place.node) {
            None => self.begin(place.round).await,
            Some(member) => {
                let step = self.step(&member, keys, place, most).await;
                step.inspect_err(|_| self.members.is_stale.notify_one())
            }
        }
    }

    /// Finds out where to begin a round.
    async fn begin(&self, round: Round) -> Result<Walked, StoreError> {
        let slots = self.members.slots(0).await;
        let slots = slots.map_err(StoreError::unavailable)?;
        let place = Place::first(round, &Topology::of(&slots));
        Ok(Walked::new(Vec::new(), Some(place.into())))
    }

    fn known(&self, address: &str) -> Option<Arc<Member>> {
        let known = self.members.known.lock();
        let mut members = known.values();
        members
            .find(|member| member.address.to_string() == address)
            .cloned()
    }

    async fn step(
        &self,
        member: &Member,
        keys: &Keys,
        place: Place,
        most: usize,
    ) -> Result<Walked, StoreError> {
        let connection = member.node.connection().await?;
        let page = place.page.over(&connection);
        let cluster = |about| Command::new("CLUSTER").arg(about);
        // What has moved before the keys were looked for is seen after that.
        let questions = [
            page.question(keys, most),
            cluster("SLOTS"),
            cluster("NODES"),
        ];
        let mut answers = connection.ask_all(&questions).await?.into_iter();
        let mut next = || answers.next().unwrap_or(Ok(Value::Nil));
        let (handles, page) = page.read(keys, next())?;
        let topology = self.topology(next(), &member.address)?;
        let next = place.after(page, &topology, is_moving(next()));
        Ok(Walked::new(handles, next.map(Cursor::from)))
    }

    fn topology(&self, said: Said, asked: &Address) -> Result<Topology, StoreError> {
        let answer = said.map_err(failure::refused)?;
        let slots = Slots::read(&answer, asked, |address| self.members.member(address));
        let slots = slots.ok_or_else(|| strange(Ok(answer)))?;
        Ok(Topology::of(&slots))
    }
}

/// Who has which slots, as a node sees it.
struct Topology {
    /// Another number is another topology.
    number: u64,
    /// Those that have slots.
    nodes: BTreeSet<String>,
}

impl Topology {
    fn of(slots: &Slots<Member>) -> Self {
        let (mut hasher, mut nodes) = (DefaultHasher::new(), BTreeSet::new());
        for (first, last, member) in slots.ranges() {
            (first, last, &member.address).hash(&mut hasher);
            nodes.insert(member.address.to_string());
        }
        Self {
            number: hasher.finish(),
            nodes,
        }
    }
}

/// Tells whether the node that was asked for all nodes is giving a slot away or taking one, or will not say.
fn is_moving(said: Said) -> bool {
    let nodes = said
        .ok()
        .and_then(|text| from_redis_value::<String>(text).ok());
    nodes.is_none_or(|nodes| nodes.contains(" ["))
}

/// A place in a walk.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    round: Round,
    /// A slot was on its way in this round.
    is_moving: bool,
    /// Who has which slots in this round.
    topology: u64,
    page: Page,
    node: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    First,
    Last,
}

impl Place {
    /// Begins a round.
    fn first(round: Round, topology: &Topology) -> Self {
        Self {
            round,
            is_moving: false,
            topology: topology.number,
            page: Page::default(),
            // A name that no node has: it is then looked again who there is.
            node: topology.nodes.first().cloned().unwrap_or_default(),
        }
    }

    /// Returns where to go on after a step, if that is not all.
    fn after(self, page: Option<Page>, topology: &Topology, is_moving: bool) -> Option<Self> {
        if self.topology != topology.number {
            return Some(Self::first(self.round, topology));
        }
        let is_moving = self.is_moving || is_moving;
        if let Some(page) = page {
            return Some(Self {
                is_moving,
                page,
                ..self
            });
        }
        let next = topology.nodes.iter().find(|node| **node > self.node);
        match (next.cloned(), is_moving, self.round) {
            (Some(node), ..) => Some(Self {
                is_moving,
                page: Page::default(),
                node,
                ..self
            }),
            (None, true, Round::First) => Some(Self::first(Round::Last, topology)),
            (None, ..) => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, ' ');
        let mut part = || parts.next();
        Some(Self {
            round: match part()? {
                "1" => Round::First,
                "2" => Round::Last,
                _ => return None,
            },
            is_moving: part()? == "moving",
            topology: u64::from_str_radix(part()?, 16).ok()?,
            page: Page::parse(part()?)?,
            node: part()?.to_owned(),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let round = match self.round {
            Round::First => 1,
            Round::Last => 2,
        };
        let moves = if self.is_moving { "moving" } else { "still" };
        let Self {
            topology,
            page,
            node,
            ..
        } = self;
        write!(f, "{round} {moves} {topology:x} {page} {node}")
    }
}

impl From<Place> for Cursor {
    fn from(place: Place) -> Self {
        Self::new(place.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topology(number: u64) -> Topology {
        let nodes = ["a:1", "b:1", "b:2"].map(str::to_owned);
        Topology {
            number,
            nodes: nodes.into(),
        }
    }

    fn at(round: Round, is_moving: bool, page: &str, node: &str) -> Place {
        Place {
            round,
            is_moving,
            topology: 7,
            page: Page::parse(page).unwrap(),
            node: node.to_owned(),
        }
    }

    #[test]
    fn a_walk_goes_on_where_it_was_and_ends_after_the_last_node() {
        let here = at(Round::First, false, "c.5", "b:1");
        let more = Page::parse("c.9");
        for (place, page, is_moving, expected) in [
            (
                &here,
                more,
                false,
                Some(at(Round::First, false, "c.9", "b:1")),
            ),
            (
                &here,
                more,
                true,
                Some(at(Round::First, true, "c.9", "b:1")),
            ),
            (
                &here,
                None,
                false,
                Some(at(Round::First, false, "0.0", "b:2")),
            ),
            (
                &here,
                None,
                true,
                Some(at(Round::First, true, "0.0", "b:2")),
            ),
            (&at(Round::First, false, "c.5", "b:2"), None, false, None),
        ] {
            let next = place.clone().after(page, &topology(7), is_moving);
            assert_eq!(next, expected, "{place} {is_moving}");
        }
    }

    #[test]
    fn a_round_in_which_a_slot_was_on_its_way_is_followed_by_a_last_one() {
        let last = |is_moving| at(Round::Last, is_moving, "0.0", "a:1");
        for (was_moving, is_moving) in [(true, false), (false, true), (true, true)] {
            let place = at(Round::First, was_moving, "c.5", "b:2");
            let next = place.after(None, &topology(7), is_moving);
            assert_eq!(next, Some(last(false)), "{was_moving} {is_moving}");
        }
        let end = at(Round::Last, true, "c.5", "b:2");
        assert_eq!(end.after(None, &topology(7), true), None);
    }

    #[test]
    fn when_nodes_or_their_slots_have_changed_the_round_is_begun_anew() {
        for round in [Round::First, Round::Last] {
            let place = at(round, true, "c.5", "b:2");
            let next = place.after(Page::parse("c.9"), &topology(8), true).unwrap();
            assert_eq!(
                next,
                Place {
                    topology: 8,
                    ..at(round, false, "0.0", "a:1")
                }
            );
        }
    }

    #[test]
    fn a_place_is_read_as_it_is_written_and_nothing_else_is() {
        for place in [
            at(Round::First, false, "0.0", "b:1"),
            at(
                Round::Last,
                true,
                "ffffffffffffffff.18446744073709551615",
                "::1:7",
            ),
        ] {
            assert_eq!(Place::parse(&place.to_string()), Some(place));
        }
        for text in [
            "",
            "1",
            "3 still 7 0.0 a:1",
            "1 still x 0.0 a:1",
            "1 still 7 0 a:1",
            "1 still 7 0.0",
        ] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_slot_on_its_way_is_seen_and_who_does_not_say_may_have_one() {
        let said = |text: &str| Ok(Value::BulkString(text.as_bytes().to_vec()));
        assert!(!is_moving(said(
            "a 127.0.0.1:1@2 myself,master - 0 0 1 connected 0-5460\n"
        )));
        assert!(is_moving(said(
            "a 127.0.0.1:1@2 myself,master - 0 0 1 connected 0-5460 [9->-b]\n"
        )));
        assert!(is_moving(Ok(Value::Nil)));
    }
}
