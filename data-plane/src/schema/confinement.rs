//! Runs statements as another role in a session of the platform's, so that code of the developer's which a statement evaluates — a
//! default, a check, a trigger, a cast — can neither leave that role nor have something run after it was left.
//!
//! Inside a `security definer` function Postgres refuses every change of role. The function is one of the session's own, seen by no other
//! session, and is looked at anew before each call, because the role that owns it could change it. What outlives a statement is dealt with
//! before the session acts for itself again: settings are reset, names are looked up among temporary objects last, cursors are closed,
//! and deferred triggers have run.

use std::time::{Duration, Instant};

use futures::future::try_join3;
use tokio_postgres::{
    Client, Error,
    types::{ToSql, Type},
};

use crate::database::quoted_identifier;

/// What the session itself runs with, whatever a statement left behind.
const OWN_SETTINGS: &str = "reset all; set local role none; set local search_path = pg_catalog, pg_temp; set local jit = off; \
     set local check_function_bodies = off";

const BODY: &str =
    " begin perform pg_catalog.set_config('search_path', path, true); execute statement; return true; end ";

/// Tables for which a developer's code may be waiting for the end of the transaction: behind a deferrable trigger, or in the expression
/// of a deferrable exclusion.
const MAY_WAIT: &str = "select c.oid::pg_catalog.regclass::text, coalesce((select o.option_value
            from pg_catalog.pg_options_to_table(c.reloptions) o where o.option_name = 'fillfactor'), '')
    from pg_catalog.pg_class c
    where c.relkind = 'r' and pg_catalog.pg_has_role(c.relowner, 'usage') and (
        exists (select from pg_catalog.pg_trigger t where t.tgrelid = c.oid and t.tgdeferrable and not t.tgisinternal)
        or exists (select from pg_catalog.pg_constraint k join pg_catalog.pg_index i on i.indexrelid = k.conindid
            where k.conrelid = c.oid and k.contype = 'x' and k.condeferrable
              and (i.indexprs is not null or i.indpred is not null)))";

/// The roles that the statements of one transaction have run as.
#[derive(Default)]
pub(super) struct Confinement {
    roles: Vec<String>,
}

impl Confinement {
    /// Runs a statement as the role, with this `search_path`, and says how long it took. Begins and ends with a session as [`leave`] brings
    /// it back. All is sent together: once something fails, Postgres runs nothing more of the transaction.
    pub(super) async fn run(
        &mut self,
        client: &Client,
        role: &str,
        path: &str,
        sql: &str,
        lock_timeout: Duration,
    ) -> Result<Duration, Error> {
        let function = format!("pg_temp.hearth_confined_{}", self.number(client, role).await?);
        let call = format!(
            "select case when p.prosecdef and p.proconfig is null and p.prosrc = $1
                 and p.proowner = $2::text::pg_catalog.regrole and l.lanname = 'plpgsql'
             then {function}($3::text, $4::text) end
             from pg_catalog.pg_proc p join pg_catalog.pg_language l on l.oid = p.prolang
             where p.oid = '{function}(text, text)'::pg_catalog.regprocedure"
        );
        let (limit, begun, role) = (limited(lock_timeout), Instant::now(), quoted_identifier(role));
        let texts: [&(dyn ToSql + Sync); 4] = [&BODY, &role, &path, &sql];
        let called = async {
            let row = client.query_typed_one(&call, &texts.map(|text| (text, Type::TEXT))).await?;
            Ok((row.try_get::<_, Option<bool>>(0)?, begun.elapsed()))
        };
        let ((), (ran, took), ()) = try_join3(client.batch_execute(&limit), called, leave(client)).await?;
        if ran == Some(true) {
            return Ok(took);
        }
        let message = "a statement changed the function that statements are run by";
        client
            .batch_execute(&format!("do $$ begin raise insufficient_privilege using message = '{message}'; end $$"))
            .await?;
        Ok(took)
    }

    /// Ends what statements left for later; afterwards nothing of the developer's is run in this transaction any more.
    pub(super) async fn settle(&mut self, client: &Client, lock_timeout: Duration) -> Result<(), Error> {
        for role in self.roles.clone() {
            self.run(client, &role, "pg_catalog", "set constraints all immediate", lock_timeout).await?;
        }
        client.batch_execute(&format!("{}; close all", limited(lock_timeout))).await?;
        for row in client.query(MAY_WAIT, &[]).await? {
            let (table, fillfactor): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            // Changes nothing, and is refused while a trigger of the table waits.
            let change = match fillfactor.as_str() {
                "" => "reset (fillfactor)".to_owned(),
                set => format!("set (fillfactor = {set})"),
            };
            client.batch_execute(&format!("alter table {table} {change}")).await?;
        }
        client.batch_execute("set constraints all immediate").await
    }

    /// The number of the role's function; it is made when the role is new.
    async fn number(&mut self, client: &Client, role: &str) -> Result<usize, Error> {
        if let Some(known) = self.roles.iter().position(|known| known == role) {
            return Ok(known);
        }
        let number = self.roles.len();
        let make = format!(
            "set local role {}; create or replace function pg_temp.hearth_confined_{number}(path text, statement text) \
             returns boolean language plpgsql security definer as $confined${BODY}$confined$; set local role none",
            quoted_identifier(role)
        );
        client.batch_execute(&make).await?;
        self.roles.push(role.to_owned());
        Ok(number)
    }
}

/// Runs a statement of the platform's own, with the same bounds.
pub(super) async fn run_own(client: &Client, sql: &str, lock_timeout: Duration) -> Result<Duration, Error> {
    let (limit, begun) = (limited(lock_timeout), Instant::now());
    let ran = async {
        client.batch_execute(sql).await?;
        Ok(begun.elapsed())
    };
    let ((), took, ()) = try_join3(client.batch_execute(&limit), ran, leave(client)).await?;
    Ok(took)
}

/// Brings the session back to its own rights and settings.
pub(super) async fn leave(client: &Client) -> Result<(), Error> {
    client.batch_execute(OWN_SETTINGS).await
}

fn limited(lock_timeout: Duration) -> String {
    format!("set local lock_timeout = {}", lock_timeout.as_millis())
}

/// The session's own role: what runs as it is the platform's own.
pub(super) async fn own_role(client: &Client) -> Result<String, Error> {
    client.query_one("select session_user::text", &[]).await?.try_get(0)
}
