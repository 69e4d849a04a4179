//! A connection that is cut between a question and its answer.

use http::StatusCode;
use tenure::{Error, Session, SessionLayer};

use super::{
    super::bed::{
        load::{member, until_it_counts, until_it_starts},
        postgres::Database,
        proxy::{
            Cut::{self, Answer, Question},
            Proxy,
            Then::{self, Away, Back},
        },
        visitor::{self, Gate, OK, Told, UNAVAILABLE, arrive, begin, counted, principal, told},
    },
    over,
};

/// A node on the other side of a proxy.
struct Site {
    database: Database,
    proxy: Proxy,
    layer: SessionLayer,
}

impl Site {
    async fn new() -> Self {
        let database = Database::new().await;
        let proxy = Proxy::to(database.server()).await;
        let layer = SessionLayer::new(over(&proxy, &database).await);
        Self {
            database,
            proxy,
            layer,
        }
    }

    /// Sends a request whose connection to the server is cut when its change is committed.
    async fn cut(
        &self,
        cookie: Option<&str>,
        cut: (Cut, Then),
        change: impl FnOnce(&Session) -> Result<(), Error> + Send + 'static,
    ) -> (StatusCode, Told) {
        let handler = |session: Session, gate: Gate| async move {
            gate.pass().await;
            change(&session)
        };
        let request = begin(&self.layer, cookie, handler).await;
        self.proxy.cut(cut.0, cut.1);
        let response = request.go().await;
        assert!(self.proxy.has_cut(), "{cut:?}");
        (response.status(), told(&response))
    }

    async fn rows(&self) -> i64 {
        let text = "SELECT count(*) FROM tenure_sessions";
        let client = self.database.client().await;
        client.query_one(text, &[]).await.unwrap().get(0)
    }
}

fn count(session: &Session) -> Result<(), Error> {
    session.update("count", |count: &mut u32| *count += 1)
}

#[tokio::test]
async fn an_update_whose_connection_is_cut_is_sent_once_more_and_applied_once() {
    let site = Site::new().await;
    for cut in [Answer, Question] {
        let cookie = member(&site.layer).await;
        let answered = site.cut(Some(&cookie), (cut, Back), count).await;
        assert_eq!(answered, (OK, Told::Nothing), "{cut:?}");
        assert_eq!(counted(&site.layer, &cookie).await, Some(1), "{cut:?}");
    }
}

#[tokio::test]
async fn an_update_of_which_nobody_knows_is_unavailable_and_never_applied_twice() {
    let site = Site::new().await;
    for (cut, applied) in [(Answer, 1), (Question, 0)] {
        let cookie = member(&site.layer).await;
        let answered = site.cut(Some(&cookie), (cut, Away), count).await;
        assert_eq!(answered, (UNAVAILABLE, Told::Nothing), "{cut:?}");
        site.proxy.is_back();
        until_it_counts(&site.layer, &cookie).await;
        let expected = Some(applied + 1);
        assert_eq!(counted(&site.layer, &cookie).await, expected, "{cut:?}");
    }
}

#[tokio::test]
async fn a_login_whose_connection_is_cut_is_sent_once_more_and_brings_its_cookie() {
    let site = Site::new().await;
    for cut in [Answer, Question] {
        // Each connection prepares the statements of a login at its first.
        member(&site.layer).await;
        let before = arrive(&site.layer).await;
        let login = |session: &Session| session.login("ada");
        let (status, told) = site.cut(Some(&before), (cut, Back), login).await;
        let (OK, Told::Id(after)) = (status, told.clone()) else {
            panic!("{cut:?}: {status} {told:?}");
        };
        assert_eq!(
            principal(&site.layer, &after).await.as_deref(),
            Some("ada"),
            "{cut:?}"
        );
        assert_eq!(principal(&site.layer, &before).await, None, "{cut:?}");
    }
}

#[tokio::test]
async fn a_login_of_which_nobody_knows_signs_nobody_in() {
    let site = Site::new().await;
    for cut in [Answer, Question] {
        let cookie = arrive(&site.layer).await;
        let login = |session: &Session| session.login("ada");
        let answered = site.cut(Some(&cookie), (cut, Away), login).await;
        assert_eq!(answered, (UNAVAILABLE, Told::Nothing), "{cut:?}");
        site.proxy.is_back();
        let other = until_it_starts(&site.layer).await;
        assert_eq!(principal(&site.layer, &other).await, None, "{cut:?}");
        assert_eq!(principal(&site.layer, &cookie).await, None, "{cut:?}");
    }
}

#[tokio::test]
async fn a_new_session_whose_connection_is_cut_is_made_once_more_under_another_handle() {
    let site = Site::new().await;
    // Of the first attempt a session may be left that nobody has the id of; it has no principal and expires.
    for (cut, rows) in [(Answer, 2), (Question, 1)] {
        arrive(&site.layer).await;
        let before = site.rows().await;
        let insert = |session: &Session| session.insert("count", 7_u32);
        let (status, told) = site.cut(None, (cut, Back), insert).await;
        let (OK, Told::Id(cookie)) = (status, told.clone()) else {
            panic!("{cut:?}: {status} {told:?}");
        };
        assert_eq!(counted(&site.layer, &cookie).await, Some(7), "{cut:?}");
        assert_eq!(site.rows().await - before, rows, "{cut:?}");
    }
}

#[tokio::test]
async fn a_new_session_of_which_nobody_knows_is_unavailable_and_brings_no_cookie() {
    let site = Site::new().await;
    for (cut, rows) in [(Answer, 1), (Question, 0)] {
        until_it_starts(&site.layer).await;
        let before = site.rows().await;
        let insert = |session: &Session| session.insert("count", 7_u32);
        let answered = site.cut(None, (cut, Away), insert).await;
        assert_eq!(answered, (UNAVAILABLE, Told::Nothing), "{cut:?}");
        assert_eq!(site.rows().await - before, rows, "{cut:?}");
        site.proxy.is_back();
    }
}

#[tokio::test]
async fn a_logout_whose_connection_is_cut_ends_the_session() {
    let site = Site::new().await;
    for cut in [Answer, Question] {
        let cookie = member(&site.layer).await;
        let answered = site.cut(Some(&cookie), (cut, Back), Session::logout).await;
        assert_eq!(answered, (OK, Told::Removal), "{cut:?}");
        assert_eq!(principal(&site.layer, &cookie).await, None, "{cut:?}");
        assert_eq!(site.rows().await, 0, "{cut:?}");
    }
}

#[tokio::test]
async fn a_logout_of_which_nobody_knows_removes_the_cookie_and_is_carried_out_when_the_server_is_back()
 {
    let site = Site::new().await;
    for (cut, others) in [(Answer, 0), (Question, 1)] {
        let cookie = member(&site.layer).await;
        let answered = site.cut(Some(&cookie), (cut, Away), Session::logout).await;
        assert_eq!(answered, (UNAVAILABLE, Told::Removal), "{cut:?}");
        site.proxy.is_back();
        site.layer.drained().await;
        assert_eq!(site.rows().await, others, "{cut:?}");
        until_it_starts(&site.layer).await;
        assert_eq!(principal(&site.layer, &cookie).await, None, "{cut:?}");
    }
}

/// The requests that are cut and those that are not go to the same server.
#[tokio::test]
async fn a_way_that_is_away_is_answered_as_unavailable_until_it_is_back() {
    let site = Site::new().await;
    let cookie = member(&site.layer).await;
    site.proxy.is_away();
    assert_eq!(visitor::count(&site.layer, &cookie).await, UNAVAILABLE);
    assert_eq!(visitor::read(&site.layer, &cookie).await, UNAVAILABLE);
    let direct = SessionLayer::new(super::super::open(&site.database).await);
    assert_eq!(visitor::count(&direct, &cookie).await, OK);
    site.proxy.is_back();
    until_it_counts(&site.layer, &cookie).await;
    assert_eq!(counted(&direct, &cookie).await, Some(2));
}
