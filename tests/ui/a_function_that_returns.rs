// An update changes its argument; what it returned might be of a run that was not committed.
use tenure::{Error, Session};

fn count(session: &Session) -> Result<(), Error> {
    session.update("visits", |visits: &mut u32| *visits + 1)
}

fn main() {}
