//! `hearth partner`: partners of the cloud that runs in a home folder.

use clock::{Clock as _, SystemClock};
use control_plane::partners::{self, NewPartner, Refused};
use model::{limits::Plan, partners::Allowances};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use sqlx::{Acquire as _, PgConnection};
use store::partners::Partner;

use crate::{
    audited, control_database,
    failure::Failure,
    home::Home,
    output::print,
    settings::{PartnerCommand, PartnerSettings},
};

/// Runs one of the subcommands.
pub(crate) async fn run(settings: PartnerSettings) -> Result<(), Failure> {
    let home = Home::locate(&settings.home)?;
    let mut conn = control_database::open(&home).await?;
    let json = settings.json;
    match settings.command {
        PartnerCommand::Create { name, kind, plan, project_limit, regions, instance_types } => {
            let listed = |items: Vec<_>| (!items.is_empty()).then_some(items);
            let allowances = Allowances {
                project_limit,
                regions: listed(regions),
                instance_types: (!instance_types.is_empty()).then_some(instance_types),
            };
            create(&mut conn, NewPartner { name, kind, plan: plan.unwrap_or(Plan::Pro), allowances }, json).await
        }
        PartnerCommand::List => list(&mut conn, json).await,
        PartnerCommand::RotateSecret { id, grace_hours } => {
            let rotate = async |conn: &mut PgConnection| {
                let mut tx = begin(conn).await?;
                let rotated = partners::rotate_secret(&mut tx, id, grace_hours, SystemClock.now()).await;
                let secret = rotated.map_err(refused)?;
                tx.commit().await.map_err(unreadable)?;
                Ok(secret)
            };
            let secret = audited::record(&mut conn, "partner.rotate_secret", &id.to_string(), rotate).await?;
            print_secret(&id.to_string(), &secret, json);
            Ok(())
        }
        PartnerCommand::Disable { id } => set_disabled(&mut conn, id, true, json).await,
        PartnerCommand::Enable { id } => set_disabled(&mut conn, id, false, json).await,
    }
}

async fn begin(conn: &mut PgConnection) -> Result<sqlx::Transaction<'_, sqlx::Postgres>, Failure> {
    conn.begin().await.map_err(unreadable)
}

async fn create(conn: &mut PgConnection, wanted: NewPartner, json: bool) -> Result<(), Failure> {
    let name = wanted.name.clone();
    let create = async |conn: &mut PgConnection| {
        let mut tx = begin(conn).await?;
        let created = partners::create(&mut tx, wanted, SystemClock.now()).await.map_err(refused)?;
        tx.commit().await.map_err(unreadable)?;
        Ok(created)
    };
    let (partner, secret) = audited::record(conn, "partner.create", &name, create).await?;
    print_secret(&partner.id.to_string(), &secret, json);
    Ok(())
}

async fn list(conn: &mut PgConnection, json: bool) -> Result<(), Failure> {
    let all = partners::list(conn).await.map_err(refused)?;
    if json {
        let all: Vec<Value> = all.iter().map(as_json).collect();
        print(&format!("{}\n", json!(all)));
        return Ok(());
    }
    let mut text = format!("{:<35}  {:<11}  {:<10}  {:<8}  NAME\n", "ID", "KIND", "PLAN", "STATE");
    for partner in all {
        let state = if partner.disabled_at.is_some() { "disabled" } else { "active" };
        text.push_str(&format!(
            "{:<35}  {:<11}  {:<10}  {state:<8}  {}\n",
            partner.id.to_string(),
            partner.kind.as_str(),
            partner.plan.as_str(),
            partner.name
        ));
    }
    print(&text);
    Ok(())
}

async fn set_disabled(conn: &mut PgConnection, id: ids::PartnerId, disabled: bool, json: bool) -> Result<(), Failure> {
    let action = if disabled { "partner.disable" } else { "partner.enable" };
    let change = async |conn: &mut PgConnection| {
        partners::set_disabled(conn, id, disabled, SystemClock.now()).await.map_err(refused)
    };
    let partner = audited::record(conn, action, &id.to_string(), change).await?;
    let word = if disabled { "refused from now on; its projects go on" } else { "let in again" };
    print(&if json { format!("{}\n", as_json(&partner)) } else { format!("Partner {id} is {word}.\n") });
    Ok(())
}

fn as_json(partner: &Partner) -> Value {
    let Allowances { project_limit, regions, instance_types } = &partner.allowances;
    json!({
        "id": partner.id, "name": partner.name, "kind": partner.kind, "plan": partner.plan, "project_limit": project_limit,
        "regions": regions, "instance_types": instance_types, "disabled_at": partner.disabled_at, "created_at": partner.created_at,
    })
}

fn print_secret(id: &str, secret: &SecretString, json: bool) {
    let secret = secret.expose_secret();
    print(&if json {
        format!("{}\n", json!({ "id": id, "secret": secret }))
    } else {
        format!("Partner    {id}\nSecret     {secret}\nThe secret is shown once: keep it now.\n")
    });
}

fn refused(refused: Refused) -> Failure {
    Failure::new(format!("{refused}."))
}

fn unreadable(cause: sqlx::Error) -> Failure {
    Failure::caused("Could not change the control database", cause)
}
