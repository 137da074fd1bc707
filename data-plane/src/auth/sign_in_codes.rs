//! Signing in with a mailed code: sending it, and making it an account and a session.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use deadpool_postgres::Transaction;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    code_mails::{self, Mailing},
    codes::{self, Purpose},
    fields,
    policy::Policy,
    users::{self, Account},
};
use crate::{
    email::{self, Template},
    events::Resource,
    http::{ClientAddress, Error, JsonBody, Result, validation::Form},
    state::App,
};

/// `POST /email/send-otp`: sends to every address, known or not, because a code may sign up.
pub(super) async fn send_code(
    State(app): State<Arc<App>>,
    address: ClientAddress,
    JsonBody(body): JsonBody,
) -> Response {
    let work = async {
        code_mails::space(&app, &body)?;
        let mut form = Form::new(&body);
        let email = fields::email(&mut form);
        form.finish()?;
        let provider = {
            let client = app.pools.internal().await?;
            email::provider(&app, &client).await?.ok_or_else(email::not_configured)?
        };
        let mailing = Mailing {
            purpose: Purpose::SignIn,
            template: Template::SignInCode,
            email,
            name: String::new(),
            redirect_to: None,
        };
        code_mails::send(&app, &provider, &mailing).await?;
        Ok(code_mails::accepted("If sign-in is available for this email, we have sent a verification code."))
    };
    app.limits.code_mails.around(&app, address, work).await
}

/// The account that a code signs in to; made where there is none.
pub(super) async fn sign_in(app: &App, body: &Value) -> Result<Account> {
    let mut form = Form::new(body);
    let email = fields::email(&mut form);
    let code = fields::code(&mut form, "otp", "OTP code");
    let name = fields::name(&mut form);
    form.finish()?;
    let right = codes::check_code(app, Purpose::SignIn, &email, code).await?;
    let mut client = app.pools.internal().await?;
    let policy = Policy::read(&client, app.clock.now()).await?;
    let transaction = client.transaction().await?;
    codes::consume(&transaction, &right, app.clock.now()).await?;
    let id = match claim(&transaction, &email).await? {
        Some(id) => id,
        None if policy.disable_signup => {
            // The code is used up all the same.
            transaction.commit().await?;
            return Err(super::signup_disabled());
        }
        None => create(&transaction, &email, name.as_deref()).await?,
    };
    link(&transaction, id, &email).await?;
    transaction.commit().await?;
    app.events.changed(Resource::Users, None);
    users::find(&client, id).await?.ok_or_else(|| Error::unauthorized("AUTH_UNAUTHORIZED", "User not found"))
}

/// The oldest account of an address. Whoever set a password before the address was proven may have been somebody else, so it goes.
async fn claim(transaction: &Transaction<'_>, email: &str) -> Result<Option<Uuid>> {
    let row = transaction
        .query_opt(
            "update auth.users set
                password = case when coalesce(email_verified, false) then password end,
                email_verified = true,
                updated_at = case when coalesce(email_verified, false) then updated_at else now() end
             where id = (select id from auth.users where lower(email) = $1 order by created_at, id limit 1 for update)
             returning id",
            &[&email],
        )
        .await?;
    Ok(row.map(|row| row.get(0)))
}

async fn create(transaction: &Transaction<'_>, email: &str, name: Option<&str>) -> Result<Uuid> {
    let profile = name.map_or_else(|| json!({}), |name| json!({"name": name}));
    let row = transaction
        .query_one(
            "insert into auth.users (email, email_verified, profile) values ($1, true, $2)
             on conflict (email) do update set email_verified = true returning id",
            &[&email, &profile],
        )
        .await?;
    Ok(row.get(0))
}

async fn link(transaction: &Transaction<'_>, id: Uuid, email: &str) -> Result<()> {
    transaction
        .execute(
            "insert into auth.user_providers (user_id, provider, provider_account_id, provider_data)
             values ($1, 'email', $2, '{\"method\": \"otp\"}')
             on conflict (provider, provider_account_id) do update set
                user_id = excluded.user_id, provider_data = excluded.provider_data, updated_at = now()",
            &[&id, &email],
        )
        .await?;
    Ok(())
}
