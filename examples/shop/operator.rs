//! Who is signed in, for the one who runs the shop: `--operator` says by which account.
//!
//! A real shop would make sure that the address is his before it lets anybody in by it, and ask for the password again.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tenure::{OperatorView, SessionLayer, SessionSlot};

use crate::{credentials::user, data::Shop, problem::Problem};

/// The view asks nobody who he is, so it is behind a guard.
pub(crate) fn routes(sessions: SessionLayer, shop: Shop, email: &str) -> Router {
    let operator = Operator {
        shop,
        email: email.to_lowercase().into(),
    };
    Router::new()
        .route_service("/operator", OperatorView::new(sessions.sessions()))
        .layer(middleware::from_fn_with_state(operator, guard))
        .layer(sessions)
}

#[derive(Clone)]
struct Operator {
    shop: Shop,
    email: Arc<str>,
}

/// For everybody else there is no such page.
async fn guard(
    State(operator): State<Operator>,
    slot: SessionSlot,
    request: Request,
    next: Next,
) -> Response {
    match operator.is_in(slot).await {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

impl Operator {
    async fn is_in(&self, slot: SessionSlot) -> Result<(), Problem> {
        let session = slot.session().await?;
        let user = user(&session, &self.shop).await?;
        match *user.email == *self.email {
            true => Ok(()),
            false => Err(Problem::NotFound),
        }
    }
}
