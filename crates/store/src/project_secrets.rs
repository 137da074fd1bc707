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

/// Wrapped keys of projects in the order of their ids, behind `after`.
pub async fn wrapped_keys(
    conn: &mut PgConnection,
    after: Option<ProjectId>,
    limit: i64,
) -> sqlx::Result<Vec<(ProjectId, Vec<u8>)>> {
    let rows = sqlx::query!(
        "select project_id, wrapped_key from project_secrets where $1::uuid is null or project_id > $1 order by project_id limit $2",
        after.map(|id| id.as_uuid()),
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.project_id.into(), row.wrapped_key)).collect())
}

/// Replaces a project's wrapped key, unless somebody has done so since `before` was read.
pub async fn replace_wrapped_key(
    conn: &mut PgConnection,
    id: ProjectId,
    before: &[u8],
    wrapped: &[u8],
) -> sqlx::Result<()> {
    sqlx::query!(
        "update project_secrets set wrapped_key = $3 where project_id = $1 and wrapped_key = $2",
        id.as_uuid(),
        before,
        wrapped
    )
    .execute(conn)
    .await?;
    Ok(())
}
