//! Signing in to projects through the operator's own clients at providers. Called by data planes and by browsers, which prove nothing.

use axum::{
    Form, Json, Router,
    extract::{Path, State as AxumState, rejection::FormRejection},
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::{HeaderValue, StatusCode, header};
use model::Error;
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::{IntoParams, ToSchema};

use super::Answer;
use crate::{
    app::shared_sign_ins::{self, ProviderAnswer},
    http::extract::Query,
    state::State,
};

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/auth/v1/shared/{provider}", get(begin_shared_sign_in))
        .route("/oauth/twitter", get(begin_shared_sign_in_with_x))
        .route("/auth/v1/shared/{provider}/callback", get(finish_shared_sign_in).post(finish_shared_sign_in_by_form))
}

/// Where a sign-in ends.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct BeginIn {
    /// The shared callback of the project: `<project>/api/auth/oauth/shared/callback/<state>`.
    redirect_uri: Option<String>,
}

/// Where a sign-in begins.
#[derive(Serialize, ToSchema)]
pub(crate) struct BeginOut {
    /// The provider's page.
    auth_url: String,
}

/// What a provider sends a browser back with.
#[derive(Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub(crate) struct FinishIn {
    /// What the sign-in began with.
    state: Option<String>,
    /// Stands for who signed in.
    code: Option<String>,
    /// Why nobody did.
    error: Option<String>,
}

impl From<FinishIn> for ProviderAnswer {
    fn from(FinishIn { state, code, error }: FinishIn) -> Self {
        Self { state, code, error }
    }
}

/// Begins a sign-in through the client that the operator shares.
#[utoipa::path(get, path = "/auth/v1/shared/{provider}", tag = "shared sign-ins", security(()),
    params(("provider" = String, Path, description = "`google`, `github`, …"), BeginIn),
    responses((status = 200, body = BeginOut), (status = 400), (status = 404, description = "The operator shares no client of this provider"), (status = 429)))]
pub(crate) async fn begin_shared_sign_in(
    AxumState(state): AxumState<State>,
    Path(provider): Path<String>,
    Query(input): Query<BeginIn>,
) -> Answer<Json<BeginOut>> {
    let url = shared_sign_ins::begin(&state, &provider, input.redirect_uri.as_deref()).await?;
    Ok(Json(BeginOut { auth_url: url.into() }))
}

/// Begins a sign-in through X; where clients of the original cloud look for it.
#[utoipa::path(get, path = "/oauth/twitter", tag = "shared sign-ins", security(()), params(BeginIn),
    responses((status = 200, body = BeginOut), (status = 400), (status = 404), (status = 429)))]
pub(crate) async fn begin_shared_sign_in_with_x(
    state: AxumState<State>,
    input: Query<BeginIn>,
) -> Answer<Json<BeginOut>> {
    begin_shared_sign_in(state, Path("x".to_owned()), input).await
}

/// Takes the browser back from a provider and sends it on to the project, with who it was or with what went wrong.
#[utoipa::path(get, path = "/auth/v1/shared/{provider}/callback", tag = "shared sign-ins", security(()),
    params(("provider" = String, Path), FinishIn),
    responses((status = 302), (status = 400, description = "The sign-in is unknown, finished or expired"), (status = 404)))]
pub(crate) async fn finish_shared_sign_in(
    AxumState(state): AxumState<State>,
    Path(provider): Path<String>,
    Query(answer): Query<FinishIn>,
) -> Answer<Response> {
    Ok(found(&shared_sign_ins::finish(&state, &provider, answer.into()).await?))
}

/// The same for providers that send the browser back with a form.
#[utoipa::path(post, path = "/auth/v1/shared/{provider}/callback", tag = "shared sign-ins", security(()),
    params(("provider" = String, Path)),
    request_body(content = FinishIn, content_type = "application/x-www-form-urlencoded"),
    responses((status = 302), (status = 400, description = "The sign-in is unknown, finished or expired"), (status = 404)))]
pub(crate) async fn finish_shared_sign_in_by_form(
    AxumState(state): AxumState<State>,
    Path(provider): Path<String>,
    form: Result<Form<FinishIn>, FormRejection>,
) -> Answer<Response> {
    let Form(answer) = form.map_err(|_| Error::malformed("The form cannot be read"))?;
    Ok(found(&shared_sign_ins::finish(&state, &provider, answer.into()).await?))
}

/// The address holds who somebody is: it is neither kept nor named to whoever is linked to next.
fn found(url: &Url) -> Response {
    let location = HeaderValue::from_str(url.as_str()).expect("a parsed URL is ASCII");
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (StatusCode::FOUND, headers).into_response()
}
