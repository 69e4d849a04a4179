// An update may run several times: `update_with` passes an argument each time.
use tenure::{Error, Session};

fn add(session: &Session, item: String) -> Result<(), Error> {
    session.update("cart", move |cart: &mut Vec<String>| cart.push(item))
}

fn main() {}
