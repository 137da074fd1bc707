//! The OpenAPI document, generated from the handlers.

use axum::{Json, Router, routing::get};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
};

use crate::state::State;

/// Adds the ways to prove who one is.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        let secret = ApiKey::Header(ApiKeyValue::new("X-Partnership-Secret"));
        components.add_security_scheme("partner", SecurityScheme::ApiKey(secret));
    }
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Hearth control plane", description = "Accounts, organizations, projects, branches, operations and usage."),
    security(("bearer" = [])),
    modifiers(&Bearer),
    paths(
        super::auth::log_in,
        super::auth::exchange_token,
        super::auth::get_profile,
        super::shared_sign_ins::begin_shared_sign_in,
        super::shared_sign_ins::begin_shared_sign_in_with_x,
        super::shared_sign_ins::finish_shared_sign_in,
        super::shared_sign_ins::finish_shared_sign_in_by_form,
        super::api_keys::list_api_keys,
        super::api_keys::create_api_key,
        super::api_keys::revoke_api_key,
        super::organizations::list_organizations,
        super::organizations::create_organization,
        super::organizations::update_organization,
        super::organizations::delete_organization,
        super::organizations::get_subscription_status,
        super::organizations::get_billing_cycles,
        super::projects::list_projects,
        super::projects::create_project,
        super::projects::get_project,
        super::projects::update_project,
        super::projects::delete_project,
        super::projects::get_access_api_key,
        super::database_access::get_database_connection_string,
        super::database_access::get_database_password,
        super::projects::pause_project,
        super::projects::restore_project,
        super::projects::restart_project,
        super::projects::upgrade_instance,
        super::branches::list_branches,
        super::branches::create_branch,
        super::branches::get_branch,
        super::branches::delete_branch,
        super::branches::reset_branch,
        super::merges::merge_branch,
        super::merges::update_branch,
        super::merges::undo_branch_merge,
        super::operations::get_operation,
        super::operations::list_operations,
        super::operations::follow_operation,
        super::usage::get_organization_usage,
        super::quotas::get_quotas,
        super::quotas::update_quotas,
        super::usage::daily::get_organization_daily_usage,
        super::billing::get_price_lists,
        super::billing::get_invoice_preview,
        super::payments::get_payment_history,
        super::payments::get_credits,
        super::payments::create_checkout_session,
        super::payments::create_portal_session,
        super::partners::create_partner,
        super::partners::list_partners,
        super::partners::get_partner,
        super::partners::update_partner,
        super::partners::rotate_partner_secret,
        super::partners::disable_partner,
        super::partners::enable_partner,
        super::partnership::sync::connect_partner_user,
        super::partnership::sync::sync_project,
        super::partnership::sync::sync_embedded_project,
        super::partnership::reading::list_partner_projects,
        super::partnership::reading::get_partner_project,
        super::partnership::reading::get_partner_user_project,
        super::partnership::lifecycle::pause_partner_project,
        super::partnership::lifecycle::restore_partner_project,
        super::partnership::lifecycle::delete_partner_project,
        super::partnership::lifecycle::authorize_partner_project,
        super::partnership::lifecycle::upgrade_partner_project,
        super::partnership::lifecycle::restart_partner_project,
        super::partnership::usage::get_partner_project_usage,
        super::partnership::usage::get_partner_usage,
        super::usage::daily::get_partner_daily_usage,
        super::billing::get_partner_invoice_preview,
        super::platform::get_latest_version,
        super::platform::get_signing_keys,
        super::platform::get_health,
    )
)]
struct Document;

fn whole() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    super::events::document::add(&mut document);
    document
}

/// The OpenAPI document as pretty JSON, ending in a newline.
#[must_use]
pub fn document() -> String {
    let mut text = whole().to_pretty_json().expect("the document is plain data");
    text.push('\n');
    text
}

pub(super) fn routes() -> Router<State> {
    Router::new().route("/openapi.json", get(get_document))
}

async fn get_document() -> Json<utoipa::openapi::OpenApi> {
    Json(whole())
}
