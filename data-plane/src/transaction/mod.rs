//! Transactions for tenants' SQL: a session of `authenticator`, one role and one set of claims, local to the transaction.
//!
//! Everything a tenant's statement can reach by leaving its role is what `authenticator` may become, which is no superuser.

use std::ops::Deref;

use deadpool_postgres::Object;
use serde_json::{Value, json};
use tokio_postgres::NoTls;

use crate::{
    authentication::{Caller, Role},
    http::Result,
    pools::Pools,
};

/// Under which role and with which settings a transaction runs.
#[derive(Clone, Debug)]
pub struct Context {
    role: Role,
    claims: Value,
    settings: Vec<(String, String)>,
    options: &'static str,
}

impl Context {
    /// The administrator's context.
    #[must_use]
    pub fn admin() -> Self {
        Self::new(Role::ProjectAdmin, json!({"role": "project_admin"}))
    }

    /// The caller's context for records and functions: the claims of its token.
    #[must_use]
    pub fn caller(caller: &Caller) -> Self {
        Self::new(caller.role, caller.claims.clone())
    }

    /// The caller's context for storage and the like: role, id of a signed-in user, and e-mail address.
    #[must_use]
    pub fn user(caller: &Caller) -> Self {
        let mut claims = json!({"role": caller.role.as_str()});
        if let Some(id) = caller.end_user() {
            claims["sub"] = json!(id);
        }
        if let Some(email) = &caller.email {
            claims["email"] = json!(email);
        }
        Self::new(caller.role, claims)
    }

    /// Any role with any claims.
    #[must_use]
    pub fn new(role: Role, claims: Value) -> Self {
        Self { role, claims, settings: Vec::new(), options: "" }
    }

    /// Adds a setting local to the transaction, such as `request.path`.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Makes the transaction read only.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.options = " read only";
        self
    }

    fn opening(&self) -> String {
        let mut sql = format!("begin{}; set local role {}; ", self.options, self.role.as_str());
        sql.push_str("select pg_catalog.set_config('request.jwt.claims', ");
        sql.push_str(&literal(&self.claims.to_string()));
        sql.push_str(", true)");
        for (name, value) in &self.settings {
            sql.push_str(", pg_catalog.set_config(");
            sql.push_str(&literal(name));
            sql.push_str(", ");
            sql.push_str(&literal(value));
            sql.push_str(", true)");
        }
        sql
    }
}

/// An open transaction; queries go through its target. Dropped without a decision, it is rolled back and its connection closed.
pub struct Transaction {
    connection: Option<Object>,
    reusable: bool,
    open: bool,
}

/// Opens a transaction in one round trip.
///
/// # Errors
/// Postgres cannot be reached or refuses a setting.
pub async fn begin(pools: &Pools, context: &Context) -> Result<Transaction> {
    let connection = pools.tenant.get().await?;
    let transaction = Transaction { connection: Some(connection), reusable: true, open: true };
    transaction.batch_execute(&context.opening()).await?;
    Ok(transaction)
}

impl Transaction {
    /// Closes the connection at the end instead of keeping it, for statements that may leave session state behind.
    #[must_use]
    pub fn discarding_connection(mut self) -> Self {
        self.reusable = false;
        self
    }

    /// Commits.
    ///
    /// # Errors
    /// A deferred constraint, or the connection broke.
    pub async fn commit(self) -> Result<(), tokio_postgres::Error> {
        self.end("commit").await
    }

    /// Rolls back.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn rollback(self) -> Result<(), tokio_postgres::Error> {
        self.end("rollback").await
    }

    async fn end(mut self, how: &str) -> Result<(), tokio_postgres::Error> {
        let outcome = self.batch_execute(how).await;
        self.open = outcome.is_err();
        if self.reusable && outcome.is_ok() {
            drop(self.connection.take());
        }
        outcome
    }
}

impl Deref for Transaction {
    type Target = deadpool_postgres::ClientWrapper;

    fn deref(&self) -> &Self::Target {
        self.connection.as_ref().expect("the connection is taken only when the transaction is consumed")
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let client = Object::take(connection);
        let cancel = client.cancel_token();
        drop(client);
        if self.open
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // The statement may still run; the closed socket alone would not stop it.
            runtime.spawn(async move {
                let _already_finished = cancel.cancel_query(NoTls).await;
            });
        }
    }
}

/// Text as a literal that means the same whatever `standard_conforming_strings` is.
fn literal(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 4);
    quoted.push_str("E'");
    for character in text.chars() {
        match character {
            '\'' => quoted.push_str("''"),
            '\\' => quoted.push_str("\\\\"),
            '\0' => {}
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_cannot_be_left() {
        assert_eq!(literal(r"a'b\c"), r"E'a''b\\c'");
        let context = Context::new(Role::Anon, json!({"x": "'; drop"})).with("request.path", "/t'");
        assert!(context.opening().contains("''; drop") && context.opening().contains("'/t'''"));
    }
}
