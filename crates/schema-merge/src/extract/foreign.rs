//! Foreign-data wrappers, foreign servers and user mappings.

use hashbrown::HashMap;
use serde_json::json;

use super::assemble::{Gathering, fact, lineage};
use super::relations::concealed;
use super::rows;
use crate::catalog::{Identity, Kind};

const WRAPPER: i64 = 2328;
const SERVER: i64 = 1417;
const MAPPING: i64 = 1418;

pub(super) fn gather(gathering: &mut Gathering, rows: rows::Foreign) {
    for row in rows.wrappers {
        if gathering.addresses.is_member(WRAPPER, row.oid) {
            continue;
        }
        let identity = Identity::new(Kind::ForeignDataWrapper, &row.name);
        let mut lineage = lineage(WRAPPER, row.oid, 0, &row.owner);
        let options = concealed(&mut lineage.secrets, &identity, row.options);
        let fields =
            json!({ "handler": row.handler, "validator": row.validator, "options": options, "owner": row.owner });
        gathering.addresses.object(WRAPPER, row.oid, &identity);
        gathering.catalog.insert(fact(identity, Kind::ForeignDataWrapper, None, fields, lineage));
    }
    let mut servers = HashMap::new();
    for row in rows.servers {
        if gathering.addresses.is_member(SERVER, row.oid) {
            continue;
        }
        let identity = Identity::new(Kind::ForeignServer, &row.name);
        let mut lineage = lineage(SERVER, row.oid, 0, &row.owner);
        let options = concealed(&mut lineage.secrets, &identity, row.options);
        let fields = json!({
            "wrapper": row.wrapper, "type": row.server_type, "version": row.version, "options": options, "owner": row.owner,
        });
        gathering.addresses.object(SERVER, row.oid, &identity);
        gathering.catalog.insert(fact(identity.clone(), Kind::ForeignServer, None, fields, lineage));
        servers.insert(row.oid, (identity, row.owner));
    }
    for row in rows.mappings {
        let Some((server, owner)) = servers.get(&row.server) else { continue };
        let identity = Identity::new(Kind::UserMapping, format!("{}.{}", server.path(), row.role));
        let mut lineage = lineage(MAPPING, row.oid, 0, owner);
        let options = concealed(&mut lineage.secrets, &identity, row.options);
        let fields = json!({ "server": server.path(), "role": row.role, "options": options });
        gathering.addresses.object(MAPPING, row.oid, &identity);
        gathering.catalog.insert(fact(identity, Kind::UserMapping, Some(server.clone()), fields, lineage));
    }
}
