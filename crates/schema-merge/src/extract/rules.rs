//! Rewrite rules and extended statistics.

use serde_json::json;

use super::addresses::RULE;
use super::assemble::{Gathering, fact, lineage};
use super::rows;
use crate::catalog::{Identity, Kind, find_outside, split_outside};

const STATISTICS: i64 = 3381;

pub(super) fn gather(gathering: &mut Gathering, rules: Vec<rows::Rule>, statistics: Vec<rows::Statistics>) {
    for row in rules {
        let Some(on) = gathering.relations.get(&row.relation) else { continue };
        let Some(parent) = on.identity.clone() else { continue };
        let identity = Identity::new(Kind::Rule, format!("{}.{}", on.name, row.name));
        let fields = json!({ "definition": row.definition, "enabled": row.enabled });
        let made = fact(identity, Kind::Rule, Some(parent), fields, lineage(RULE, row.oid, 0, &on.owner));
        gathering.add(RULE, row.oid, made);
    }
    for row in statistics {
        let Some(parent) = gathering.relations.get(&row.relation).and_then(|on| on.identity.clone()) else { continue };
        let identity = Identity::new(Kind::Statistics, format!("{}.{}", row.schema, row.name));
        let fields = json!({ "definition": in_order(&row.definition), "target": row.target, "owner": row.owner });
        let made = fact(identity, Kind::Statistics, Some(parent), fields, lineage(STATISTICS, row.oid, 0, &row.owner));
        gathering.add(STATISTICS, row.oid, made);
    }
}

/// The definition with its columns and expressions sorted: Postgres prints columns in the order in which the table has them, which
/// is no fact.
pub(crate) fn in_order(definition: &str) -> String {
    let read = || {
        let start = find_outside(definition, " ON ")? + " ON ".len();
        let end = start + find_outside(&definition[start..], " FROM ")?;
        let mut parts = split_outside(&definition[start..end], ", ");
        parts.sort_unstable();
        Some(format!("{}{}{}", &definition[..start], parts.join(", "), &definition[end..]))
    };
    read().unwrap_or_else(|| definition.to_owned())
}

#[cfg(test)]
mod tests {
    use super::in_order;

    #[test]
    fn statistics_have_their_columns_in_one_order() {
        let printed = "CREATE STATISTICS public.s (mcv) ON \"b, FROM \", a, (lower(c, ' ON ')) FROM public.t";
        assert_eq!(
            in_order(printed),
            "CREATE STATISTICS public.s (mcv) ON \"b, FROM \", (lower(c, ' ON ')), a FROM public.t"
        );
        assert_eq!(in_order("CREATE STATISTICS s ON b, a FROM t"), "CREATE STATISTICS s ON a, b FROM t");
    }
}
