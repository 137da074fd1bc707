//! Extractors that answer with our error body: ids in paths, queries, and JSON bodies.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Query as AxumQuery, RawPathParams, Request},
};
use http::request::Parts;
use http_kit::body::{BodyError, read_json};
use ids::{
    ApiKeyId, OperationId, OrganizationId, PartnerId, PartnerUserId, ProjectId, WebhookDeliveryId, WebhookEndpointId,
};
use model::Error;
use serde::de::DeserializeOwned;

use crate::app::Failure;

/// A JSON body; an empty one counts as `{}`.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|_| Error::invalid("body", "The request body is too large or was cut off"))?;
        read_json(&bytes).map(Self).map_err(|error| {
            let text = error.to_string();
            Failure(match error {
                BodyError::Field { field: Some(field), .. } => Error::invalid(field, text),
                BodyError::Field { field: None, .. } | BodyError::Syntax => Error::malformed(text),
            })
        })
    }
}

/// Query parameters.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let query = AxumQuery::<T>::from_request_parts(parts, state).await;
        let AxumQuery(value) =
            query.map_err(|error| Error::malformed(format!("The query cannot be read: {}", error.body_text())))?;
        Ok(Self(value))
    }
}

/// A segment of the path; empty when it cannot be read, which names nothing.
pub(crate) async fn segment<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> String {
    let parameters = RawPathParams::from_request_parts(parts, state).await.ok();
    let found = parameters.iter().flatten().find(|(key, _)| *key == name);
    found.map(|(_, text)| text.to_owned()).unwrap_or_default()
}

macro_rules! path_ids {
    ($($(#[$doc:meta])* $name:ident($id:ty) at $segment:literal else $code:literal, $what:literal;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name(pub(crate) $id);

        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = Failure;

            /// A text that is no id names nothing, which is what the caller is told.
            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
                let text = segment(parts, state, $segment).await;
                Ok(Self(text.parse().map_err(|_| Error::not_found($code, $what))?))
            }
        }
    )*};
}

path_ids! {
    /// The organization in the path.
    OrganizationPath(OrganizationId) at "org" else "organization.not_found", "Organization";
    /// The project or branch in the path.
    ProjectPath(ProjectId) at "id" else "project.not_found", "Project";
    /// The branch in the path.
    BranchPath(ProjectId) at "id" else "branch.not_found", "Branch";
    /// The operation in the path.
    OperationPath(OperationId) at "id" else "operation.not_found", "Operation";
    /// The API key in the path.
    ApiKeyPath(ApiKeyId) at "id" else "api_key.not_found", "API key";
    /// The partner in the path.
    PartnerPath(PartnerId) at "id" else "partner.not_found", "Partner";
    /// The partner's user in the path.
    PartnerUserPath(PartnerUserId) at "id" else "partner.user_not_found", "User";
    /// The project of a partner's user in the path.
    UserProjectPath(ProjectId) at "project" else "project.not_found", "Project";
    /// The receiver of events in the path.
    EndpointPath(WebhookEndpointId) at "endpoint" else "webhook.not_found", "Webhook endpoint";
    /// The delivery in the path.
    DeliveryPath(WebhookDeliveryId) at "delivery" else "webhook.delivery_not_found", "Delivery";
}
