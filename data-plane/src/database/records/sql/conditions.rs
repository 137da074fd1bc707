//! Conditions and orderings.

use super::super::{
    error::Error,
    plan::{Node, not_embedded},
    query::{Condition, Operation, Operator, OrderTerm, Quantifier, SearchKind, Test, Truth},
};
use super::{
    Statement,
    columns::{Columns, path_into},
};
use crate::database::quoting::{array, identifier};

impl Columns<'_> {
    /// All conditions of a node, joined by `and`; absent when there are none.
    pub(super) fn conditions(&self, statement: &mut Statement, node: &Node) -> Result<Option<String>, Error> {
        let mut parts = Vec::new();
        for condition in &node.conditions {
            parts.push(self.condition(statement, node, condition)?);
        }
        for embed in node.embeds.iter().filter(|embed| embed.inner && !embed.to_one) {
            parts.push(format!("{}.\"rows\" is not null", identifier(&embed.alias)));
        }
        Ok(if parts.is_empty() { None } else { Some(parts.join(" and ")) })
    }

    fn condition(&self, statement: &mut Statement, node: &Node, condition: &Condition) -> Result<String, Error> {
        match condition {
            Condition::Test(test) => self.test(statement, node, test),
            Condition::Tree { negated, any, children } => {
                let mut parts = Vec::new();
                for child in children {
                    parts.push(self.condition(statement, node, child)?);
                }
                let joined = parts.join(if *any { " or " } else { " and " });
                Ok(if *negated { format!("not ({joined})") } else { format!("({joined})") })
            }
        }
    }

    fn test(&self, statement: &mut Statement, node: &Node, test: &Test) -> Result<String, Error> {
        // Whether there is a counterpart is asked of the embed, even where the foreign key's column it is named by would answer otherwise.
        let relation_has_it = node.relation.columns.contains_key(&test.field.name);
        let asks_for_null = test.operation == Operation::Is(Truth::Null);
        let embed = node.embed(&test.field.name).filter(|_| test.field.path.is_empty());
        if let Some(embed) = embed.filter(|_| asks_for_null || !relation_has_it) {
            if !asks_for_null {
                return Err(Error::new(
                    400,
                    "PGRST120",
                    format!("Bad operator on the '{}' embedded resource", test.field.name),
                )
                .details("Only is null or not is null filters are allowed on embedded resources"));
            }
            let alias = identifier(&embed.alias);
            let row = if embed.to_one { alias } else { format!("{alias}.\"rows\"") };
            // A joined row whose columns are all null is a row: `is null` would not tell it from none.
            let word = if test.negated { "is distinct from" } else { "is not distinct from" };
            return Ok(format!("{row} {word} null"));
        }
        let left = self.field(statement, node, &test.field);
        let sql = operation(statement, &left, &test.operation);
        Ok(if test.negated { format!("not ({sql})") } else { sql })
    }

    /// The `order by` list of a node; absent when there is none.
    pub(super) fn ordering(&self, statement: &mut Statement, node: &Node) -> Result<Option<String>, Error> {
        let mut parts = Vec::new();
        for term in &node.order {
            parts.push(self.term(statement, node, term)?);
        }
        Ok(if parts.is_empty() { None } else { Some(parts.join(", ")) })
    }

    fn term(&self, statement: &mut Statement, node: &Node, term: &OrderTerm) -> Result<String, Error> {
        let mut sql = match &term.relation {
            None => self.field(statement, node, &term.field),
            Some(name) => {
                let embed = node.embed(name).ok_or_else(|| not_embedded(name))?;
                if !embed.to_one {
                    let (from, to) = (&node.relation.name, &embed.written);
                    return Err(Error::new(400, "PGRST118", format!("A related order on '{to}' is not possible"))
                        .details(format!("'{from}' and '{to}' do not form a many-to-one or one-to-one relationship")));
                }
                let column = format!("{}.{}", identifier(&embed.alias), identifier(&term.field.name));
                path_into(statement, &embed.node.relation, column, &term.field)
            }
        };
        if let Some(descending) = term.descending {
            sql.push_str(if descending { " desc" } else { " asc" });
        }
        if let Some(first) = term.nulls_first {
            sql.push_str(if first { " nulls first" } else { " nulls last" });
        }
        Ok(sql)
    }
}

fn operation(statement: &mut Statement, left: &str, operation: &Operation) -> String {
    match operation {
        Operation::Binary(operator, value) => {
            format!("{left} {} {}", operator.sql(), statement.bind(pattern(*operator, value)))
        }
        Operation::Quantified(operator, quantifier, value) => {
            let word = if *quantifier == Quantifier::Any { "any" } else { "all" };
            format!("{left} {} {word} ({})", operator.sql(), statement.bind(pattern(*operator, value)))
        }
        Operation::In(values) => format!("{left} = any ({})", statement.bind(array(values))),
        Operation::Is(truth) => {
            let word = match truth {
                Truth::Null => "null",
                Truth::True => "true",
                Truth::False => "false",
                Truth::Unknown => "unknown",
            };
            format!("{left} is {word}")
        }
        Operation::IsDistinct(value) => format!("{left} is distinct from {}", statement.bind(value)),
        Operation::Search(kind, configuration, value) => {
            let function = match kind {
                SearchKind::Query => "to_tsquery",
                SearchKind::Plain => "plainto_tsquery",
                SearchKind::Phrase => "phraseto_tsquery",
                SearchKind::Web => "websearch_to_tsquery",
            };
            let configuration =
                configuration.as_ref().map(|name| format!("{}::regconfig, ", statement.bind(name))).unwrap_or_default();
            format!("{left} @@ {function}({configuration}{})", statement.bind(value))
        }
    }
}

fn pattern(operator: Operator, value: &str) -> String {
    if operator.wildcards() { value.replace('*', "%") } else { value.to_owned() }
}
