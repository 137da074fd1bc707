//! Postgres errors as the admin endpoints answer them. Records and RPC have their own form.

use http::StatusCode;
use tokio_postgres::error::DbError;

use super::Error;

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(db) if gone(db.code().code()) => Self::unavailable("talk to Postgres", &error),
            Some(db) => from_database(db),
            None if error.is_closed() => Self::unavailable("talk to Postgres", &error),
            None => Self::internal("talk to Postgres", &error),
        }
    }
}

/// Postgres shuts down, starts, or has no connection left.
fn gone(state: &str) -> bool {
    matches!(state, "57P01" | "57P02" | "57P03" | "53300") || state.starts_with("08")
}

fn from_database(db: &DbError) -> Error {
    let validation = "DATABASE_VALIDATION_ERROR";
    let (status, code, next): (_, _, Option<String>) = match db.code().code() {
        "23505" => (StatusCode::CONFLICT, "DATABASE_DUPLICATE", Some(duplicate_advice(db))),
        "23503" => (
            StatusCode::BAD_REQUEST,
            "DATABASE_CONSTRAINT_VIOLATION",
            Some("The referenced record does not exist. Please check the reference with get metadata tool and try again.".into()),
        ),
        "23502" => (
            StatusCode::BAD_REQUEST,
            "MISSING_FIELD",
            Some(format!(
                "The {} field is required and cannot be empty. Please fill in a value and try again.",
                db.column().unwrap_or("undefined")
            )),
        ),
        "42P01" => (
            StatusCode::BAD_REQUEST,
            validation,
            Some("The resource you are trying to access does not exist. Please check the table with get metadata tool and try again.".into()),
        ),
        "42701" => (StatusCode::BAD_REQUEST, validation, Some(duplicate_column_advice(db))),
        "42703" => (
            StatusCode::BAD_REQUEST,
            validation,
            Some("Check the column name spelling and verify it exists in the table using GET /api/database/tables/{table}/schema".into()),
        ),
        "42830" => (
            StatusCode::BAD_REQUEST,
            validation,
            Some("Ensure the referenced column has a unique constraint or is a primary key".into()),
        ),
        "42804" => (
            StatusCode::BAD_REQUEST,
            validation,
            Some("Ensure the foreign key column and the referenced column have the same data type.".into()),
        ),
        "42501" => (
            StatusCode::FORBIDDEN,
            "FORBIDDEN",
            Some("A row-level security policy denied this operation. Verify the calling user owns the row (uploaded_by / user_id matches the JWT sub), or that an appropriate INSERT/UPDATE/DELETE policy exists for this role.".into()),
        ),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", None),
    };
    let error = Error::new(status, code, db.message());
    match next {
        Some(next) => error.with_next_actions(next),
        None => error,
    }
}

fn duplicate_advice(db: &DbError) -> String {
    let column = db
        .detail()
        .and_then(|detail| detail.strip_prefix("Key ("))
        .and_then(|rest| rest.split_once(")="))
        .map(|(column, _)| column)
        .filter(|column| column.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or("field");
    format!(
        "A record with this field({column}) already exists. You can query the existing record by using the query tool and then try again."
    )
}

fn duplicate_column_advice(db: &DbError) -> String {
    let column = db.message().split('"').nth(1).unwrap_or("column");
    format!("Remove the duplicate \"{column}\" column definition. Each column name must be unique within a table.")
}
