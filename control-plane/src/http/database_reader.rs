//! Who may ask how a project's database is reached: a user as everywhere, or the project's data plane with a `sign` header.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http_kit::{Principal, RequestId};

use super::{authenticate::bearer, extract::ProjectPath};
use crate::{
    app::{
        Caller, Ctx, Failure, auth,
        projects::database_access::{self, Reader},
    },
    state::State,
};

const SIGN: &str = "sign";

impl FromRequestParts<State> for Reader {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Failure> {
        let request_id = parts.extensions.get::<RequestId>().map_or_else(String::new, |id| id.as_str().to_owned());
        let principal = parts.extensions.get::<Principal>().cloned();
        let name = |text: String| {
            if let Some(principal) = &principal {
                principal.set(text);
            }
        };
        if let Some(sign) = parts.headers.get(SIGN).and_then(|value| value.to_str().ok()).map(str::to_owned) {
            let ProjectPath(id) = ProjectPath::from_request_parts(parts, state).await?;
            let reader = database_access::recognise(state, &sign, id, request_id).await?;
            name(format!("data-plane:{id}"));
            return Ok(reader);
        }
        let user = auth::authenticate(state, bearer(&parts.headers)).await?;
        name(format!("user:{}", user.id));
        let ctx = Ctx { caller: Caller::User(user), request_id, idempotency_key: None, audit_id: None };
        Ok(Self::Caller(Box::new(ctx)))
    }
}
