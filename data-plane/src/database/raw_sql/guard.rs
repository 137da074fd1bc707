//! What developers' SQL may not do, decided on the parsed statements, and what its statements are.

use pg_query::{NodeEnum, protobuf::ObjectType};

/// SQL that has passed the guards.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// One node per statement.
    pub(crate) statements: Vec<NodeEnum>,
}

const SESSION: &str = "Changing SQL session configuration is not allowed.";
const RESTRICTED: &str = "Query contains restricted operations";
const ROLE: &str = "Changing SQL execution role or session authorization is not allowed.";
const ROLES: &str = "Managing database roles is not allowed.";
const TRANSACTION: &str = "Transaction control statements are not allowed.";
const COPY: &str = "COPY from STDIN and to STDOUT is not available here. Use bulk upsert or export.";
const UNPARSED: &str = "Query could not be parsed and was rejected for security reasons.";

/// Parses and checks; the error is the message for the client.
pub(crate) fn check(sql: &str) -> Result<Parsed, &'static str> {
    if mentions_set_config(sql) {
        return Err(SESSION);
    }
    let parsed = pg_query::parse(sql).map_err(|_| UNPARSED)?;
    let nodes = parsed.protobuf.stmts.into_iter().filter_map(|raw| raw.stmt.and_then(|stmt| stmt.node));
    let statements: Vec<NodeEnum> = nodes.collect();
    match statements.iter().find_map(objection) {
        Some(message) => Err(message),
        None => Ok(Parsed { statements }),
    }
}

/// The word anywhere, strings and comments included: it can be reached through `execute` too.
fn mentions_set_config(sql: &str) -> bool {
    let lower = sql.to_ascii_lowercase();
    let word = |character: char| character.is_alphanumeric() || character == '_';
    lower.match_indices("set_config").any(|(at, found)| {
        let before = lower[..at].chars().next_back().is_some_and(word);
        let after = lower[at + found.len()..].chars().next().is_some_and(word);
        !before && !after
    })
}

fn objection(statement: &NodeEnum) -> Option<&'static str> {
    match statement {
        NodeEnum::CreatedbStmt(_)
        | NodeEnum::DropdbStmt(_)
        | NodeEnum::AlterDatabaseStmt(_)
        | NodeEnum::AlterDatabaseSetStmt(_)
        | NodeEnum::AlterDatabaseRefreshCollStmt(_) => Some(RESTRICTED),
        NodeEnum::RenameStmt(rename) if rename.rename_type() == ObjectType::ObjectDatabase => Some(RESTRICTED),
        NodeEnum::RenameStmt(rename) if rename.rename_type() == ObjectType::ObjectRole => Some(ROLES),
        NodeEnum::AlterOwnerStmt(owner) if owner.object_type() == ObjectType::ObjectDatabase => Some(RESTRICTED),
        NodeEnum::VariableSetStmt(set) if set.kind() == pg_query::protobuf::VariableSetKind::VarResetAll => {
            Some("RESET ALL is not allowed.")
        }
        NodeEnum::VariableSetStmt(set) => match set.name.to_ascii_lowercase().as_str() {
            "role" | "session_authorization" => Some(ROLE),
            "search_path" => Some("Changing SQL search_path is not allowed."),
            "statement_timeout" => Some("Changing SQL statement_timeout is not allowed."),
            _ => None,
        },
        // `discard all` resets role, session authorization and every setting at once.
        NodeEnum::DiscardStmt(discard) if discard.target() == pg_query::protobuf::DiscardMode::DiscardAll => {
            Some("RESET ALL is not allowed.")
        }
        NodeEnum::CreateRoleStmt(_)
        | NodeEnum::AlterRoleStmt(_)
        | NodeEnum::AlterRoleSetStmt(_)
        | NodeEnum::DropRoleStmt(_)
        | NodeEnum::GrantRoleStmt(_) => Some(ROLES),
        NodeEnum::TransactionStmt(_) => Some(TRANSACTION),
        // Nobody is there to send or take the rows, and the session would wait for them for ever.
        NodeEnum::CopyStmt(copy) if copy.filename.is_empty() => Some(COPY),
        _ => None,
    }
}

/// Whether the text may have changed the schema, judged generously.
pub(crate) fn may_change_schema(sql: &str) -> bool {
    let lower = sql.to_ascii_lowercase();
    ["create", "alter", "drop", "grant", "revoke", "comment", "do", "call", "import"]
        .iter()
        .any(|word| lower.contains(word))
}

/// Splits a text into its statements, trimmed, without those that are only comments.
pub(crate) fn split(sql: &str) -> Vec<String> {
    let pieces = pg_query::split_with_scanner(sql).unwrap_or_else(|_| vec![sql]);
    let pieces = pieces.into_iter().map(|piece| piece.trim().trim_end_matches(';').trim());
    pieces.filter(|piece| !only_comments(piece)).map(str::to_owned).collect()
}

fn only_comments(piece: &str) -> bool {
    pg_query::parse(piece).is_ok_and(|parsed| parsed.protobuf.stmts.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_statements_are_named() {
        let cases = [
            ("select 'set_config'", SESSION),
            ("SELECT Set_Config('a','b',true)", SESSION),
            ("create database x", RESTRICTED),
            ("drop database x", RESTRICTED),
            ("alter database x set work_mem = '1MB'", RESTRICTED),
            ("alter database x rename to y", RESTRICTED),
            ("alter database x owner to y", RESTRICTED),
            ("reset all", "RESET ALL is not allowed."),
            ("discard all", "RESET ALL is not allowed."),
            ("set role postgres", ROLE),
            ("reset role", ROLE),
            ("set local role anon", ROLE),
            ("set session authorization postgres", ROLE),
            ("reset session authorization", ROLE),
            ("set search_path = x", "Changing SQL search_path is not allowed."),
            ("reset \"SEARCH_PATH\"", "Changing SQL search_path is not allowed."),
            ("set statement_timeout = 0", "Changing SQL statement_timeout is not allowed."),
            ("create role x", ROLES),
            ("create user x", ROLES),
            ("alter role x superuser", ROLES),
            ("alter role x set work_mem = '1MB'", ROLES),
            ("alter role x rename to y", ROLES),
            ("drop role x", ROLES),
            ("grant postgres to anon", ROLES),
            ("revoke anon from authenticator", ROLES),
            ("begin", TRANSACTION),
            ("select 1; commit", TRANSACTION),
            ("savepoint a", TRANSACTION),
            ("copy t from stdin", COPY),
            ("copy (select 1) to stdout", COPY),
            ("selec 1", UNPARSED),
        ];
        for (sql, message) in cases {
            assert_eq!(check(sql).expect_err(sql), message, "{sql}");
        }
    }

    #[test]
    fn ordinary_statements_pass() {
        for sql in [
            "select 1",
            "create table a (id int)",
            "grant select on a to anon",
            "set work_mem = '1MB'",
            "select reset_config()",
            "drop schema a cascade",
            "",
        ] {
            assert!(check(sql).is_ok(), "{sql}");
        }
    }

    #[test]
    fn texts_are_split_at_real_semicolons() {
        let statements = split("create table a (b text default ';'); -- c;\n do $$ begin null; end $$ ; /* only */ ;");
        assert_eq!(statements.len(), 2);
        assert!(statements[0].ends_with("';')"));
        assert!(statements[1].contains("do $$ begin null; end $$"));
    }
}
