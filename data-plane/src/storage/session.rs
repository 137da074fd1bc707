//! A transaction for rows of storage: under the caller's role, or for administrators as the owner of the tables.

use std::ops::Deref;

use deadpool_postgres::{ClientWrapper, Object};

use crate::{
    authentication::{Caller, Role},
    http::Result,
    state::App,
    transaction::{self, Context, Transaction},
};

/// An open transaction. Dropped without a commit, it ends with its connection.
pub(super) enum Session {
    /// Row-level security decides.
    Caller(Transaction),
    /// Nothing is hidden.
    Owner(Option<Object>),
}

impl Session {
    pub(super) async fn begin(app: &App, caller: &Caller) -> Result<Self> {
        if caller.role == Role::ProjectAdmin {
            return Self::owner(app).await;
        }
        Ok(Self::Caller(transaction::begin(&app.pools, &Context::user(caller)).await?))
    }

    pub(super) async fn owner(app: &App) -> Result<Self> {
        let session = Self::Owner(Some(app.pools.internal().await?));
        session.batch_execute("begin").await?;
        Ok(session)
    }

    pub(super) async fn commit(mut self) -> Result<()> {
        match &mut self {
            Self::Owner(connection) => {
                if let Some(open) = connection {
                    open.batch_execute("commit").await?;
                }
                // Back to the pool, not to be closed.
                drop(connection.take());
                Ok(())
            }
            Self::Caller(_) => self.commit_caller().await,
        }
    }

    async fn commit_caller(self) -> Result<()> {
        self.batch_execute("commit").await?;
        Ok(())
    }
}

impl Deref for Session {
    type Target = ClientWrapper;

    fn deref(&self) -> &ClientWrapper {
        match self {
            Self::Caller(transaction) => transaction,
            Self::Owner(connection) => connection.as_ref().expect("taken only by commit, which consumes the session"),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Self::Owner(connection) = self
            && let Some(open) = connection.take()
        {
            drop(Object::take(open));
        }
    }
}
