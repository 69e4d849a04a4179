//! A connection that is cut between a question and its answer, on each engine that is asked over one.

use std::future::Future;

use http::StatusCode;
use tenure::{Error, Session, SessionLayer};

use super::{
    load::{member, until_it_counts, until_it_starts},
    proxy::{
        Cut::{self, Answer, Question},
        Proxy,
        Then::{self, Away, Back},
    },
    visitor::{Gate, OK, Told, UNAVAILABLE, arrive, begin, count, counted, principal, read, told},
};

/// A node on the other side of a proxy.
pub trait Site {
    fn layer(&self) -> &SessionLayer;

    fn proxy(&self) -> &Proxy;

    /// Opens a node that asks the same server by another way.
    fn beside(&self) -> impl Future<Output = SessionLayer>;

    /// Counts the sessions in the server.
    fn rows(&self) -> impl Future<Output = i64>;
}

/// Makes a test of each promise; the expression makes a site.
macro_rules! cuts {
    ($site:expr) => {
        $crate::bed::cuts::cuts! { $site;
            a_login_of_which_nobody_knows_signs_nobody_in
            a_login_whose_connection_is_cut_is_sent_once_more_and_brings_its_cookie
            a_logout_of_which_nobody_knows_removes_the_cookie_and_is_carried_out_when_the_server_is_back
            a_logout_whose_connection_is_cut_ends_the_session
            a_new_session_of_which_nobody_knows_is_unavailable_and_brings_no_cookie
            a_new_session_whose_connection_is_cut_is_made_once_more_under_another_handle
            a_way_that_is_away_is_answered_as_unavailable_until_it_is_back
            an_update_of_which_nobody_knows_is_unavailable_and_never_applied_twice
            an_update_whose_connection_is_cut_is_sent_once_more_and_applied_once
        }
    };
    ($site:expr; $($promise:ident)*) => {
        $(
            #[tokio::test]
            async fn $promise() {
                $crate::bed::log::tell_of_failures();
                $crate::bed::cuts::$promise(&$site).await;
            }
        )*
    };
}
pub(crate) use cuts;

/// Sends a request whose connection to the server is cut when its change is committed.
async fn cut_off(
    site: &impl Site,
    cookie: Option<&str>,
    cut: (Cut, Then),
    change: impl FnOnce(&Session) -> Result<(), Error> + Send + 'static,
) -> (StatusCode, Told) {
    let handler = |session: Session, gate: Gate| async move {
        gate.pass().await;
        change(&session)
    };
    let request = begin(site.layer(), cookie, handler).await;
    site.proxy().cut(cut.0, cut.1);
    let response = request.go().await;
    assert!(site.proxy().has_cut(), "{cut:?}");
    (response.status(), told(&response))
}

fn increment(session: &Session) -> Result<(), Error> {
    session.update("count", |count: &mut u32| *count += 1)
}

pub async fn an_update_whose_connection_is_cut_is_sent_once_more_and_applied_once(
    site: &impl Site,
) {
    for cut in [Answer, Question] {
        let cookie = member(site.layer()).await;
        let answered = cut_off(site, Some(&cookie), (cut, Back), increment).await;
        assert_eq!(answered, (OK, Told::Nothing), "{cut:?}");
        assert_eq!(counted(site.layer(), &cookie).await, Some(1), "{cut:?}");
    }
}

pub async fn an_update_of_which_nobody_knows_is_unavailable_and_never_applied_twice(
    site: &impl Site,
) {
    for (cut, applied) in [(Answer, 1), (Question, 0)] {
        let cookie = member(site.layer()).await;
        let answered = cut_off(site, Some(&cookie), (cut, Away), increment).await;
        assert_eq!(answered, (UNAVAILABLE, Told::Nothing), "{cut:?}");
        site.proxy().is_back();
        until_it_counts(site.layer(), &cookie).await;
        let expected = Some(applied + 1);
        assert_eq!(counted(site.layer(), &cookie).await, expected, "{cut:?}");
    }
}

pub async fn a_login_whose_connection_is_cut_is_sent_once_more_and_brings_its_cookie(
    site: &impl Site,
) {
    for cut in [Answer, Question] {
        // Each connection prepares the statements of a login at its first.
        member(site.layer()).await;
        let before = arrive(site.layer()).await;
        let login = |session: &Session| session.login("ada");
        let (status, told) = cut_off(site, Some(&before), (cut, Back), login).await;
        let (OK, Told::Id(after)) = (status, told.clone()) else {
            panic!("{cut:?}: {status} {told:?}");
        };
        assert_eq!(
            principal(site.layer(), &after).await.as_deref(),
            Some("ada"),
            "{cut:?}"
        );
        assert_eq!(principal(site.layer(), &before).await, None, "{cut:?}");
    }
}

pub async fn a_login_of_which_nobody_knows_signs_nobody_in(site: &impl Site) {
    for cut in [Answer, Question] {
        let cookie = arrive(site.layer()).await;
        let login = |session: &Session| session.login("ada");
        let answered = cut_off(site, Some(&cookie), (cut, Away), login).await;
        assert_eq!(answered, (UNAVAILABLE, Told::Nothing), "{cut:?}");
        site.proxy().is_back();
        let other = until_it_starts(site.layer()).await;
        assert_eq!(principal(site.layer(), &other).await, None, "{cut:?}");
        assert_eq!(principal(site.layer(), &cookie).await, None, "{cut:?}");
    }
}

pub async fn a_new_session_whose_connection_is_cut_is_made_once_more_under_another_handle(
    site: &impl Site,
) {
    // Of the first attempt a session may be left that nobody has the id of; it has no principal and expires.
    for (cut, rows) in [(Answer, 2), (Question, 1)] {
        arrive(site.layer()).await;
        let before = site.rows().await;
        let insert = |session: &Session| session.insert("count", 7_u32);
        let (status, told) = cut_off(site, None, (cut, Back), insert).await;
        let (OK, Told::Id(cookie)) = (status, told.clone()) else {
            panic!("{cut:?}: {status} {told:?}");
        };
        assert_eq!(counted(site.layer(), &cookie).await, Some(7), "{cut:?}");
        assert_eq!(site.rows().await - before, rows, "{cut:?}");
    }
}

pub async fn a_new_session_of_which_nobody_knows_is_unavailable_and_brings_no_cookie(
    site: &impl Site,
) {
    for (cut, rows) in [(Answer, 1), (Question, 0)] {
        until_it_starts(site.layer()).await;
        let before = site.rows().await;
        let insert = |session: &Session| session.insert("count", 7_u32);
        let answered = cut_off(site, None, (cut, Away), insert).await;
        assert_eq!(answered, (UNAVAILABLE, Told::Nothing), "{cut:?}");
        assert_eq!(site.rows().await - before, rows, "{cut:?}");
        site.proxy().is_back();
    }
}

pub async fn a_logout_whose_connection_is_cut_ends_the_session(site: &impl Site) {
    for cut in [Answer, Question] {
        let cookie = member(site.layer()).await;
        let answered = cut_off(site, Some(&cookie), (cut, Back), Session::logout).await;
        assert_eq!(answered, (OK, Told::Removal), "{cut:?}");
        assert_eq!(principal(site.layer(), &cookie).await, None, "{cut:?}");
        assert_eq!(site.rows().await, 0, "{cut:?}");
    }
}

pub async fn a_logout_of_which_nobody_knows_removes_the_cookie_and_is_carried_out_when_the_server_is_back(
    site: &impl Site,
) {
    for (cut, others) in [(Answer, 0), (Question, 1)] {
        let cookie = member(site.layer()).await;
        let answered = cut_off(site, Some(&cookie), (cut, Away), Session::logout).await;
        assert_eq!(answered, (UNAVAILABLE, Told::Removal), "{cut:?}");
        site.proxy().is_back();
        site.layer().drained().await;
        assert_eq!(site.rows().await, others, "{cut:?}");
        until_it_starts(site.layer()).await;
        assert_eq!(principal(site.layer(), &cookie).await, None, "{cut:?}");
    }
}

/// The requests that are cut and those that are not go to the same server.
pub async fn a_way_that_is_away_is_answered_as_unavailable_until_it_is_back(site: &impl Site) {
    let cookie = member(site.layer()).await;
    site.proxy().is_away();
    assert_eq!(count(site.layer(), &cookie).await, UNAVAILABLE);
    assert_eq!(read(site.layer(), &cookie).await, UNAVAILABLE);
    let direct = site.beside().await;
    assert_eq!(count(&direct, &cookie).await, OK);
    site.proxy().is_back();
    until_it_counts(site.layer(), &cookie).await;
    assert_eq!(counted(&direct, &cookie).await, Some(2));
}
