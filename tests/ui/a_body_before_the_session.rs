// axum wants what reads the body last.
use axum::{Router, extract::Form, routing::post};
use tenure::Session;

async fn add(Form(item): Form<Vec<(String, String)>>, session: Session) {
    session.insert("item", item).unwrap();
}

fn main() {
    let _: Router = Router::new().route("/", post(add));
}
