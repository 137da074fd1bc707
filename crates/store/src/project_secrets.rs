//! Sealed secrets of projects.

use ids::ProjectId;
pub use model::secrets::SealedSecrets;
use sqlx::PgConnection;

/// Keeps the secrets of a new project.
pub async fn insert(conn: &mut PgConnection, project_id: ProjectId, secrets: &SealedSecrets) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into project_secrets (project_id, wrapped_key, jwt_secret, encryption_key, api_key, anon_key, admin_password, platform_token)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        project_id.as_uuid(),
        secrets.wrapped_key,
        secrets.jwt_secret,
        secrets.encryption_key,
        secrets.api_key,
        secrets.anon_key,
        secrets.admin_password,
        secrets.platform_token
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The secrets of a project.
pub async fn find(conn: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<Option<SealedSecrets>> {
    sqlx::query_as!(
        SealedSecrets,
        "select wrapped_key, jwt_secret, encryption_key, api_key, anon_key, admin_password, platform_token
         from project_secrets where project_id = $1",
        project_id.as_uuid()
    )
    .fetch_optional(conn)
    .await
}

/// Forgets the secrets of a project. A second call changes nothing.
pub async fn delete(conn: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<()> {
    sqlx::query!("delete from project_secrets where project_id = $1", project_id.as_uuid()).execute(conn).await?;
    Ok(())
}
