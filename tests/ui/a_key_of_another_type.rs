// A typed key has values of one type.
use tenure::{Error, Session, SessionKey};

const VISITS: SessionKey<u32> = SessionKey::new("visits");

fn count(session: &Session) -> Result<(), Error> {
    session.insert(&VISITS, "three")?;
    let visits: Option<String> = session.get(&VISITS)?;
    drop(visits);
    session.insert(3, "visits")
}

fn main() {}
