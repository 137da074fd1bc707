//! Properties: a filter means the same as its predicate in SQL, and no input makes a statement that Postgres cannot parse.

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::Value;

use super::{
    case::Case,
    generator::{Generator, Holds, TABLES, Table},
    twin::Stage,
};

/// Filters tried by default; `HEARTH_PROPERTIES` asks for more.
const FILTERS: usize = 150;

/// A condition written twice: for the query string, and as SQL.
struct Twice {
    query: String,
    sql: String,
}

#[tokio::test]
async fn a_filter_tree_chooses_the_rows_of_its_predicate() {
    let stage = Stage::start().await;
    let direct = stage.project.superuser().await;
    let count = std::env::var("HEARTH_PROPERTIES").ok().and_then(|text| text.parse().ok()).unwrap_or(FILTERS);
    let mut generator = Generator::new(7);
    let mut chosen = 0;
    for _ in 0..count {
        let table = generator.table();
        let tree = tree(&mut generator, table, 0);
        let key = table.key.join(",");
        let answer =
            stage.ask(&Case::new(format!("GET /{}?select={key}&order={key}&and=({})", table.name, tree.query))).await;
        let sql = format!(
            "select coalesce(json_agg(r), '[]')::text from (select {key} from {} where {} order by {key}) r",
            table.name, tree.sql
        );
        let expected: String =
            direct.query_one(&sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}")).get(0);
        let expected: Value = serde_json::from_str(&expected).expect("JSON of Postgres");
        assert_eq!((answer.status, &answer.body), (200, &expected), "{} / {sql}", tree.query);
        chosen += expected.as_array().map_or(0, Vec::len);
    }
    assert!(chosen > count, "the filters choose too little to tell anything: {chosen} rows");
}

fn tree(generator: &mut Generator, table: &Table, depth: usize) -> Twice {
    if depth < 3 && generator.below(2) == 0 {
        let negated = generator.below(3) == 0;
        let word = if generator.below(2) == 0 { "and" } else { "or" };
        let children: Vec<Twice> = (0..generator.below(3) + 1).map(|_| tree(generator, table, depth + 1)).collect();
        let query: Vec<&str> = children.iter().map(|child| child.query.as_str()).collect();
        let sql: Vec<&str> = children.iter().map(|child| child.sql.as_str()).collect();
        let (not, sql_not) = if negated { ("not.", "not ") } else { ("", "") };
        return Twice {
            query: format!("{not}{word}({})", query.join(",")),
            sql: format!("{sql_not}({})", sql.join(&format!(" {word} "))),
        };
    }
    leaf(generator, table)
}

fn leaf(generator: &mut Generator, table: &Table) -> Twice {
    let (name, holds) = table.columns[generator.below(table.columns.len())];
    let negated = generator.below(4) == 0;
    let (query, sql) = match (holds, generator.below(4)) {
        (_, 0) => ("is.null".to_owned(), format!("{name} is null")),
        (Holds::Number, 1) => ("in.(1,2,2019)".to_owned(), format!("{name} in (1, 2, 2019)")),
        (Holds::Number, 2) => ("isdistinct.2".to_owned(), format!("{name} is distinct from 2")),
        (Holds::Number, _) => {
            let (word, operator) = [("eq", "="), ("neq", "<>"), ("gt", ">"), ("lte", "<=")][generator.below(4)];
            let number = [0, 1, 2, 1975, 2019][generator.below(5)];
            (format!("{word}.{number}"), format!("{name} {operator} {number}"))
        }
        (Holds::Text, 1) => ("like.*a*".to_owned(), format!("{name} like '%a%'")),
        (Holds::Text, 2) => {
            ("in.(\"Parasite\",\"x,y\",\"quo\\\"te\")".to_owned(), format!("{name} in ('Parasite', 'x,y', 'quo\"te')"))
        }
        (Holds::Text, _) => ("gt.\"M(,)\"".to_owned(), format!("{name} > 'M(,)'")),
        (Holds::Flag, 1) => ("is.true".to_owned(), format!("{name} is true")),
        (Holds::Flag, _) => ("is.unknown".to_owned(), format!("{name} is unknown")),
        (Holds::List, 1) => ("ov.{paris,kids}".to_owned(), format!("{name} && '{{paris,kids}}'")),
        (Holds::List, _) => ("cs.{\"two words\"}".to_owned(), format!("{name} @> '{{two words}}'")),
        (Holds::Json, _) => ("cs.{\"lang\":\"fr\"}".to_owned(), format!("{name} @> '{{\"lang\": \"fr\"}}'")),
    };
    match negated {
        true => Twice { query: format!("{name}.not.{query}"), sql: format!("not ({sql})") },
        false => Twice { query: format!("{name}.{query}"), sql },
    }
}

#[test]
fn no_query_string_makes_a_statement_that_postgres_cannot_parse() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let stage = runtime.block_on(Stage::start());
    let piece = prop_oneof![
        proptest::sample::select(vec![
            "select",
            "order",
            "or",
            "and",
            "not",
            "limit",
            "columns",
            "on_conflict",
            "id",
            "title",
            "tags",
            "details",
            "directors",
            "films",
            "eq",
            "in",
            "is",
            "cs",
            "fts",
            "like",
            "any",
            "null",
            "desc",
            "inner",
            "count",
            "*",
            "(",
            ")",
            ",",
            ".",
            ":",
            "::",
            "->",
            "->>",
            "!",
            "=",
            "&",
            "\"",
            "'",
            "\\",
            "{",
            "}",
            "[",
            "]",
            "--",
            "/*",
            ";",
            "$1",
            "$$",
            "%27",
            "%22",
            "%00",
            "text",
            "int",
            "1",
            "-1",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,6}",
    ];
    let query = proptest::collection::vec(piece, 1..12).prop_map(|pieces| pieces.concat());
    let table = proptest::sample::select(TABLES.iter().map(|table| table.name).collect::<Vec<_>>());
    let cases = std::env::var("HEARTH_FUZZ_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(400);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(table, query, any::<bool>()), |(table, query, selects)| {
        let query = if selects { format!("select={query}") } else { query };
        let answer = runtime.block_on(stage.ask(&Case::new(format!("GET /{table}?{query}"))));
        prop_assert!(answer.status < 500, "{table}?{query}: {answer:?}");
        prop_assert!(answer.code() != "42601" || query.contains("fts"), "{table}?{query}: {answer:?}");
        Ok(())
    });
    outcome.expect("the property holds");
}
