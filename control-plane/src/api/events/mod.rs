//! Events and who is told of them. The same routes stand below an organization, below a partner's own prefix, and, for operators, below a partner.

pub(super) mod deliveries;
pub(super) mod document;
pub(super) mod endpoints;
pub(super) mod feed;

use axum::{
    Extension, Router,
    extract::FromRequestParts,
    routing::{get, post},
};
use http::request::Parts;
use model::Error;

use crate::{
    app::{Failure, events::Whose},
    http::extract::segment,
    state::State,
};

/// Below which path the routes stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Below {
    /// `/organizations/v1/{org}`, for its members.
    Organization,
    /// `/partnership/v1/{partner}`, for the partner itself.
    Partnership,
    /// `/partners/v1/{id}`, for operators.
    Partner,
}

impl Below {
    pub(super) const fn base(self) -> &'static str {
        match self {
            Self::Organization => "/organizations/v1/{org}",
            Self::Partnership => "/partnership/v1/{partner}",
            Self::Partner => "/partners/v1/{id}",
        }
    }
}

/// The routes below one path.
pub(super) fn routes(below: Below) -> Router<State> {
    let base = below.base();
    let endpoint = format!("{base}/webhook-endpoints/{{endpoint}}");
    Router::new()
        .route(&format!("{base}/events"), get(feed::list_events))
        .route(
            &format!("{base}/webhook-endpoints"),
            get(endpoints::list_webhook_endpoints).post(endpoints::create_webhook_endpoint),
        )
        .route(
            &endpoint,
            get(endpoints::get_webhook_endpoint)
                .put(endpoints::update_webhook_endpoint)
                .delete(endpoints::delete_webhook_endpoint),
        )
        .route(&format!("{endpoint}/rotate-secret"), post(endpoints::rotate_webhook_secret))
        .route(&format!("{endpoint}/disable"), post(endpoints::disable_webhook_endpoint))
        .route(&format!("{endpoint}/enable"), post(endpoints::enable_webhook_endpoint))
        .route(&format!("{endpoint}/deliveries"), get(deliveries::list_webhook_deliveries))
        .route(&format!("{endpoint}/deliveries/{{delivery}}/attempts"), get(deliveries::list_webhook_attempts))
        .route(&format!("{endpoint}/deliveries/{{delivery}}/redeliver"), post(deliveries::redeliver_webhook))
        .route_layer(Extension(below))
}

/// A text that is no id names nothing, which is what the caller is told.
impl<S: Send + Sync> FromRequestParts<S> for Whose {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let below = *parts.extensions.get::<Below>().ok_or_else(|| Error::not_found("route.not_found", "Route"))?;
        match below {
            Below::Partnership => Ok(Self::Own),
            Below::Organization => {
                let id = segment(parts, state, "org").await.parse();
                let id = id.map_err(|_| Error::not_found("organization.not_found", "Organization"))?;
                Ok(Self::Organization(id))
            }
            Below::Partner => {
                let id = segment(parts, state, "id").await.parse();
                Ok(Self::Partner(id.map_err(|_| Error::not_found("partner.not_found", "Partner"))?))
            }
        }
    }
}

/// A place in the order of events; the names of its two ends are texts, so that clients treat it as one.
fn cursor(field: &str, text: Option<&str>, absent: i64) -> Result<i64, Error> {
    let Some(text) = text else { return Ok(absent) };
    let place = text.parse().ok().filter(|place: &i64| *place >= 0);
    place.ok_or_else(|| Error::invalid(field, format!("{field} must be a cursor that a page before gave")))
}
