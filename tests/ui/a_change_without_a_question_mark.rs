// What could not be changed must not go unnoticed.
#![deny(unused_must_use)]

use tenure::Session;

async fn save(session: Session) {
    session.insert("saved", true);
    session.logout();
    session.commit();
}

fn main() {}
