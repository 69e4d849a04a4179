// An update may run after the handler has returned.
use tenure::{Error, Session};

fn rename(session: &Session, name: &str) -> Result<(), Error> {
    session.update("name", |old: &mut String| *old = name.to_owned())
}

fn main() {}
