//! What a database holds at the moment, for edits to choose from.

use serde::Deserialize;
use tokio_postgres::{GenericClient, SimpleQueryMessage};

use crate::database::describe;

/// Everything by quoted, qualified name.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Inventory {
    pub(super) schemas: Vec<String>,
    pub(super) relations: Vec<Relation>,
    pub(super) types: Vec<Type>,
    pub(super) routines: Vec<Routine>,
    /// Text search configurations, dictionaries, statistics, publications and so on: the words of SQL for each, and its name.
    pub(super) others: Vec<Other>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Relation {
    /// `pg_class.relkind`.
    pub(super) kind: char,
    pub(super) name: String,
    pub(super) partition: bool,
    /// `pg_partitioned_table.partstrat`.
    pub(super) strategy: Option<char>,
    #[serde(default)]
    pub(super) columns: Vec<Column>,
    #[serde(default)]
    pub(super) constraints: Vec<Constraint>,
    #[serde(default)]
    pub(super) triggers: Vec<String>,
    #[serde(default)]
    pub(super) policies: Vec<String>,
    #[serde(default)]
    pub(super) rules: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Column {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) sql_type: String,
    pub(super) category: char,
    pub(super) identity: bool,
    pub(super) generated: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Constraint {
    pub(super) name: String,
    pub(super) kind: char,
    pub(super) columns: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Type {
    /// `pg_type.typtype`.
    pub(super) kind: char,
    pub(super) name: String,
    pub(super) labels: Vec<String>,
    pub(super) attributes: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Routine {
    pub(super) kind: char,
    /// With its arguments.
    pub(super) signature: String,
    pub(super) arguments: i64,
    pub(super) returns: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Other {
    pub(super) words: String,
    pub(super) name: String,
}

const QUERY: &str = include_str!("inventory.sql");

impl Inventory {
    pub(super) async fn read(client: &impl GenericClient) -> Self {
        // Planned once for a connection, like the extraction.
        let prepared = "select exists (select from pg_prepared_statements where name = 'inventory')";
        if !client.query_one(prepared, &[]).await.expect("a lookup").get::<_, bool>(0) {
            let prepare = format!("prepare inventory as {QUERY}");
            client.batch_execute(&prepare).await.unwrap_or_else(|error| panic!("inventory: {}", describe(&error)));
        }
        let messages = client.simple_query("execute inventory").await;
        let messages = messages.unwrap_or_else(|error| panic!("inventory: {}", describe(&error)));
        let text = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        serde_json::from_str(text.expect("the inventory has one row")).expect("the inventory has its shape")
    }

    /// Relations of these kinds.
    pub(super) fn of<'a>(&'a self, kinds: &'a str) -> Vec<&'a Relation> {
        self.relations.iter().filter(|relation| kinds.contains(relation.kind)).collect()
    }
}
