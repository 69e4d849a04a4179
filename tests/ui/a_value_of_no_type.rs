// A string key does not say what its value is.
use tenure::{Error, Session};

fn visits(session: &Session) -> Result<(), Error> {
    let visits = session.get("visits")?;
    drop(visits);
    Ok(())
}

fn main() {}
