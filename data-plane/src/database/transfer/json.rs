//! An export as JSON, with the values of SQL clients.

use deadpool_postgres::ClientWrapper;
use serde_json::{Map, json};

use super::{
    catalog,
    export::{Exported, Wanted, count},
};
use crate::{
    database::{quoting::identifier, raw_sql::Session},
    http::Result,
};

pub(super) async fn write(client: &ClientWrapper, session: &Session, wanted: &Wanted) -> Result<Exported> {
    let mut tables = Map::new();
    let mut truncated = Vec::new();
    for name in catalog::tables(client, wanted.tables.as_deref()).await? {
        let mut table = catalog::describe_table(client, &name).await?;
        if wanted.data {
            let quoted = identifier(&name);
            let sql = format!("select * from public.{quoted} limit {}", wanted.row_limit);
            let rows = session.run_statement(&sql, &[]).await?.rows;
            let total = count(session, &quoted).await?;
            if total > wanted.row_limit {
                table["truncated"] = true.into();
                table["exportedRowCount"] = rows.len().into();
                table["totalRowCount"] = total.into();
                truncated.push(name.clone());
            }
            table["rows"] = rows.into();
        }
        tables.insert(name, table);
    }
    let absent = || json!([]);
    let data = json!({
        "timestamp": wanted.at,
        "tables": tables,
        "functions": if wanted.functions { catalog::functions(client).await? } else { absent() },
        "sequences": if wanted.sequences { catalog::sequences(client).await? } else { absent() },
        "views": if wanted.views { catalog::views(client).await? } else { absent() },
    });
    Ok(Exported { data, truncated })
}
