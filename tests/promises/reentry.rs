//! Code of the user's that the session runs may come back to it: no lock is held meanwhile, and what it changes counts.

use std::{cell::RefCell, sync::mpsc, thread, time::Duration};

use serde::{Deserialize, Deserializer};
use tenure::{Key, KeyName, PrincipalId, Session};

/// Runs something that would wait for itself for ever if a lock were held.
fn must_end(act: impl FnOnce(Session) + Send + 'static) {
    let (done, ended) = mpsc::channel();
    thread::spawn(move || {
        act(Session::for_test([("a", 1)]));
        done.send(()).unwrap();
    });
    let ended = ended.recv_timeout(Duration::from_secs(10));
    ended.expect("it waits for itself, or has panicked");
}

thread_local! {
    static SESSION: RefCell<Option<Session>> = const { RefCell::new(None) };
}

/// A number that looks into the session when it is decoded.
#[derive(Debug, PartialEq)]
struct Curious(u32);

impl<'de> Deserialize<'de> for Curious {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let session = SESSION.with_borrow(Clone::clone).unwrap();
        session.keys().unwrap();
        u32::deserialize(deserializer).map(Self)
    }
}

#[test]
fn a_value_may_look_into_the_session_while_it_is_taken() {
    must_end(|session| {
        SESSION.set(Some(session.clone()));
        assert_eq!(session.take("a").unwrap(), Some(Curious(1)));
        assert_eq!(session.take::<Curious>("a").unwrap(), None);
    });
}

#[test]
fn a_value_may_look_into_the_session_while_it_is_claimed() {
    must_end(|session| {
        SESSION.set(Some(session.clone()));
        let claim = async { session.claim("a").await.unwrap() };
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        assert_eq!(runtime.unwrap().block_on(claim), Some(Curious(1)));
    });
}

#[test]
fn a_principal_may_be_made_of_what_the_session_holds() {
    struct Account(Session);
    impl From<Account> for PrincipalId {
        fn from(account: Account) -> Self {
            account.0.get::<u32>("a").unwrap().unwrap().into()
        }
    }
    must_end(|session| {
        session.login(Account(session.clone())).unwrap();
        assert_eq!(session.principal().unwrap(), "1");
        session.login_fresh(Account(session.clone())).unwrap();
        assert!(session.keys().unwrap().is_empty());
    });
}

#[test]
fn a_key_may_look_into_the_session_for_its_name() {
    struct Current(Session);
    impl KeyName for Current {
        fn name(&self) -> &str {
            self.0.contains("a").map_or("none", |_| "a")
        }
    }
    impl<T> Key<T> for Current {}
    must_end(|session| {
        let key = || Current(session.clone());
        assert_eq!(session.get(key()).unwrap(), Some(1));
        assert!(session.contains(key()).unwrap());
        session.remove(key()).unwrap();
        session.insert(key(), 2).unwrap();
        assert_eq!(session.take(key()).unwrap(), Some(2));
    });
}

#[test]
fn an_update_that_changes_another_key_runs_once() {
    must_end(|session| {
        let (clone, mut runs) = (session.clone(), 0);
        let update = move |a: &mut u32| {
            runs += 1;
            clone.insert("runs", runs).unwrap();
            *a += 1;
        };
        session.update("a", update).unwrap();
        assert_eq!(session.get("a").unwrap(), Some(2));
        assert_eq!(session.get("runs").unwrap(), Some(1));
    });
}

#[test]
fn what_an_update_has_captured_may_look_into_the_session_when_it_is_dropped() {
    struct Curious(Session);
    impl Drop for Curious {
        fn drop(&mut self) {
            self.0.keys().unwrap();
        }
    }
    let (done, ended) = mpsc::channel();
    thread::spawn(move || {
        let session: Session = Session::for_test([("a", 1)]);
        let curious = Curious(session.clone());
        let update = move |a: &mut u32| {
            let _captured = &curious;
            *a += 1;
        };
        session.update("a", update).unwrap();
        session.discard();
        done.send(()).unwrap();
    });
    let ended = ended.recv_timeout(Duration::from_secs(10));
    ended.expect("it waits for itself, or has panicked");
}
