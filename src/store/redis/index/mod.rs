//! The index of principals: a key for each, beside the keys of the sessions.

mod script;

use ::redis::Value;

use self::script::read;
use super::{
    RedisStore, Servers, connection::Said, loaded, many, node::Way, script::Request,
    stored::Foreign, strange,
};
use crate::{
    id::Handle,
    principal::{CredentialStamp, PrincipalId},
    store::{Answer, Cursor, Entered, Entry, Loaded, PrincipalIndex, StoreError, Walked},
};

/// Nothing counts the records: the servers' own count is of all that is there, and has others' in it.
impl PrincipalIndex for RedisStore {
    fn enter(
        &self,
        principal: &PrincipalId,
        entry: Entry,
        stamp: Option<&CredentialStamp>,
        most: usize,
    ) -> Answer<Entered> {
        let request = |key: &[u8]| Request::enter(key, entry, stamp, most);
        self.ask(Way::Writing, self.key_of(principal), request, entered)
    }

    fn entries(&self, principal: &PrincipalId) -> Answer<Vec<Entry>> {
        let key = self.key_of(principal);
        self.ask(Way::Reading, key, Request::entries, entries)
    }

    fn leave(&self, principal: &PrincipalId, entries: &[Entry]) -> Answer<()> {
        let request = |key: &[u8]| Request::leave(key, entries);
        self.ask(Way::Writing, self.key_of(principal), request, left)
    }

    fn restamp(&self, principal: &PrincipalId, stamp: &CredentialStamp) -> Answer<Vec<Entry>> {
        let request = |key: &[u8]| Request::restamp(key, stamp);
        self.ask(Way::Writing, self.key_of(principal), request, entries)
    }

    fn load_all(&self, handles: &[Handle]) -> Answer<Vec<Option<Loaded>>> {
        if handles.is_empty() {
            return Answer::ready(Ok(Vec::new()));
        }
        let (store, keys) = (self.clone(), handles.iter().map(|handle| self.key(handle)));
        let keys: Vec<_> = keys.collect();
        Answer::later(async move {
            let said = match &store.0.servers {
                Servers::Cluster(cluster) => cluster.load_all(&keys).await?,
                Servers::One(node) => many::load_all(&*node.connection().await?, &keys).await?,
            };
            said.into_iter().map(loaded).collect()
        })
    }

    fn walk(&self, from: Option<&Cursor>, most: usize) -> Answer<Walked> {
        let (store, from) = (self.clone(), from.cloned());
        Answer::later(async move {
            let (keys, from) = (&store.0.keys, from.as_ref());
            match &store.0.servers {
                Servers::Cluster(cluster) => cluster.walk(keys, from, most).await,
                Servers::One(node) => {
                    many::walk(&*node.connection().await?, keys, from, most).await
                }
            }
        })
    }
}

fn entered(said: Said) -> Result<Entered, StoreError> {
    match said {
        Ok(Value::Nil) => Ok(Entered::Refused),
        said => entries(said).map(Entered::After),
    }
}

/// Reads entries in their order, after a stamp perhaps.
fn entries(said: Said) -> Result<Vec<Entry>, StoreError> {
    let members = match said {
        Ok(Value::Array(members)) => members,
        other => return Err(strange(other)),
    };
    let entries = match members.split_first() {
        Some((Value::BulkString(stamp), entries)) if stamp.len() == CredentialStamp::LEN => entries,
        _ => &members,
    };
    entries.iter().map(entry).collect()
}

fn entry(member: &Value) -> Result<Entry, StoreError> {
    let entry = match member {
        Value::BulkString(bytes) => read(bytes),
        _ => None,
    };
    entry.ok_or_else(|| StoreError::corrupt(Foreign))
}

fn left(said: Said) -> Result<(), StoreError> {
    match said {
        Ok(Value::Int(_)) => Ok(()),
        // Somebody else's members.
        other => entries(other).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreErrorKind;

    fn members(lens: &[usize]) -> Said {
        let member = |len: &usize| Value::BulkString(vec![1; *len]);
        Ok(Value::Array(lens.iter().map(member).collect()))
    }

    #[test]
    fn a_stamp_may_come_before_entries_and_nothing_else() {
        for (lens, expected) in [
            (&[][..], Some(0)),
            (&[24, 24], Some(2)),
            (&[32], Some(0)),
            (&[32, 24], Some(1)),
            (&[32, 32], None),
            (&[24, 32], None),
            (&[24, 3], None),
        ] {
            let read = entries(members(lens));
            assert_eq!(read.as_ref().ok().map(Vec::len), expected, "{lens:?}");
            if let Err(error) = read {
                assert_eq!(error.kind(), StoreErrorKind::Corrupt);
            }
        }
    }

    #[test]
    fn what_is_answered_to_another_question_is_unknown() {
        let kind = |error: StoreError| error.kind();
        let unknown = Err(StoreErrorKind::Unknown);
        assert_eq!(entered(Ok(Value::Int(1))).map(drop).map_err(kind), unknown);
        assert_eq!(entries(Ok(Value::Nil)).map(drop).map_err(kind), unknown);
        assert_eq!(left(Ok(Value::Nil)).map_err(kind), unknown);
        let corrupt = Err(StoreErrorKind::Corrupt);
        assert_eq!(left(members(&[3])).map_err(kind), corrupt);
    }
}
