//! A server that comes back without what it had.

use http::StatusCode;
use tenure::Session;

use super::{
    super::bed::{
        load::{member, until_it_is_read},
        redis::Redis,
        visitor::{
            Gate, OK, Told, begin, count, counted, log_out, principal, quiet, read, send, told,
        },
    },
    impatient, open,
};

#[tokio::test]
async fn after_a_server_has_lost_everything_everybody_is_anonymous_and_can_begin_again() {
    let mut server = Redis::start();
    let layer = impatient(open(&server.url()).await);
    let (cookie, leaving) = (member(&layer).await, member(&layer).await);
    let late = |session: Session, gate: Gate| async move {
        gate.pass().await;
        session.insert("count", 7_u32)
    };
    let late = begin(&layer, Some(&cookie), late).await;
    server.restart();
    until_it_is_read(&layer, &cookie).await;
    assert_eq!(quiet(&late.go().await), StatusCode::CONFLICT);
    for _ in 0..10 {
        assert_eq!(read(&layer, &cookie).await, OK);
        assert_eq!(principal(&layer, &cookie).await, None);
        assert_eq!(counted(&layer, &cookie).await, None);
    }
    let left = log_out(&layer, &leaving).await;
    assert_eq!((left.status(), told(&left)), (OK, Told::Removal));
    let insert = async |session: Session| session.insert("count", 1_u32);
    let begun = send(&layer, Some(&cookie), insert).await;
    let (OK, Told::Id(fresh)) = (begun.status(), told(&begun)) else {
        panic!("{begun:?}");
    };
    assert_ne!(fresh, cookie);
    for _ in 0..10 {
        assert_eq!(count(&layer, &fresh).await, OK);
    }
    assert_eq!(counted(&layer, &fresh).await, Some(11));
}
