//! The index of principals in a file.

use std::time::Duration;

use http::StatusCode;
use tenure::{
    Handle, Session, SessionInfo, SessionLayer, SessionLimit,
    store::{PrincipalIndex, Record, SessionStore, Version},
};

use super::{File, visitor::visit};

#[tokio::test]
async fn all_records_are_counted() {
    let file = File::new();
    let store = file.open().await;
    assert_eq!(store.count().await.unwrap(), Some(0));
    let record = Record::new(Version::from_u64(1), [1], []);
    for number in 0..3 {
        let handle = Handle::from_bytes([number; 16]);
        let created = store.create(&handle, &record, HOUR);
        created.await.unwrap();
    }
    assert_eq!(store.count().await.unwrap(), Some(3));
    store.delete(&Handle::from_bytes([1; 16])).await.unwrap();
    assert_eq!(store.count().await.unwrap(), Some(2));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_hides_no_other_and_is_signed_out_with_them() {
    let file = File::new();
    let store = file.open().await;
    let layer = SessionLayer::builder(store.clone())
        .with_session_limit(SessionLimit::evict_oldest(4))
        .build()
        .unwrap();
    let sessions = layer.sessions();
    for _ in 0..3 {
        visit(&layer, None, async |session: Session| session.login("ada")).await;
    }
    let handles: Vec<_> = sessions.list("ada").await.unwrap();
    let handles: Vec<_> = handles.iter().map(SessionInfo::handle).collect();
    let damage = "UPDATE tenure_sessions SET payload = 17 WHERE handle = ?";
    let damage = sqlx::query(damage).bind(handles[1].as_bytes().to_vec());
    damage.execute(store.pool()).await.unwrap();
    let listed = sessions.list("ada").await.unwrap();
    let listed: Vec<_> = listed.iter().map(SessionInfo::handle).collect();
    assert_eq!(listed, [handles[0], handles[2]]);
    let (status, _) = visit(&layer, None, async |session: Session| session.login("ada")).await;
    assert_eq!(status, StatusCode::OK, "it counts for nothing");
    assert_eq!(sessions.repair().await.unwrap(), 3);
    assert_eq!(sessions.revoke_all("ada").await.unwrap(), 3);
    assert_eq!(store.count().await.unwrap(), Some(0));
}

const HOUR: Duration = Duration::from_secs(3_600);
