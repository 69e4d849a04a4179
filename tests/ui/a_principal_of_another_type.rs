// A principal is text or an integer.
use tenure::{Error, Session};

struct UserId(u64);

fn login(session: &Session, id: UserId) -> Result<(), Error> {
    session.login(id)
}

fn main() {
    drop(UserId(1).0);
}
