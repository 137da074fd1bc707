//! Query strings nobody would write: whatever comes, it is refused or becomes one statement that Postgres' own parser reads. Runs for
//! `HEARTH_FUZZ_SECONDS`; `HEARTH_SEED` repeats a run.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::{
    media::Media,
    plan::Node,
    query::{Arguments, Query, decode},
    sql::{self, BodyForm, Shape},
};
use crate::database::schema_cache::SchemaCache;

const SECONDS: u64 = 2;

/// A parser that takes so long for one query string, on the slowest machine and without optimisation, does not end in reasonable time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest query string, which is what the server reads of a request's head.
const LONGEST: usize = 60_000;

/// What is mutated, spliced and thrown together.
const SEEDS: [&str; 16] = [
    "select=id,title,directors(name,born),actors!inner(name)&order=title.desc.nullslast,directors(name).asc&limit=3&offset=1",
    "select=a:details->lang->>name::text,*,...directors(who:name)&details->>lang=eq.fr&details->0->>x=is.null",
    "select=count(),rating.sum()::int,amount:rating.avg()",
    "or=(year.gte.2000,and(title.like.*a*,not.or(rating.lt.5,rating.is.null)),tags.cs.{a,\"b,c\"})",
    "and=(id.in.(1,2,3),title.not.in.(\"x,y\",\"quo\\\"te\",z))&not.and=(id.eq.1,id.eq.2)",
    "title=like(any).{a*,*b}&year=not.gt(all).{1,2}&id=isdistinct.2&plot=fts(english).cat&plot=not.wfts.\"a b\"",
    "directors.name=eq.x&directors.order=born.desc&directors.limit=2&directors.or=(name.eq.a,name.eq.b)",
    "columns=id,title,\"odd name\"&on_conflict=id,title",
    "select=directors!films_director_id_fkey!left(films(directors(films(id))))",
    "tags=ov.{a}&seats=sl.[1,2)&seats=adj.(3,4]&seats=nxr.[1,)&seats=nxl.(,1]&seats=cd.{}",
    "id=eq.1&id=neq.2&id=gt.3&id=gte.4&id=lt.5&id=lte.6&title=match.^a&title=imatch.b$&title=ilike.%25c",
    "adult=is.true&adult=is.not.null&adult=not.is.unknown",
    "limit=99999999999999999999&offset=-1&select=&order=",
    "%00=%ff&%c3%28=eq.%e2%82%ac&a+b=eq.c+d&=&&&x",
    "schema=public&select=\"id\",\"ti\\\"tle\",d:\"da\\\\ta\"",
    "select=((((&or=(and(or(and(or(and(id.eq.1)))))))",
];

const PIECES: [&str; 52] = [
    "select",
    "order",
    "or",
    "and",
    "not",
    "limit",
    "offset",
    "columns",
    "on_conflict",
    "id",
    "title",
    "tags",
    "details",
    "directors",
    "films",
    "actors",
    "eq",
    "in",
    "is",
    "cs",
    "fts",
    "like",
    "any",
    "null",
    "desc",
    "nullsfirst",
    "inner",
    "count",
    "sum",
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
    "...",
    "--",
    "/*",
    ";",
    "$1",
    "%00",
];

#[test]
fn any_query_string_is_refused_or_becomes_one_statement() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("HEARTH_SEED").unwrap_or_else(rand::random);
    let end = Instant::now() + Duration::from_secs(number("HEARTH_FUZZ_SECONDS").unwrap_or(SECONDS));
    let mut random = StdRng::seed_from_u64(seed);
    let cache = SchemaCache::of_document(include_str!("fuzz_schema.json"));
    let (mut tried, mut stated) = (0_u64, 0_u64);
    while Instant::now() < end {
        let raw = query_string(&mut random);
        let began = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| statement(&cache, &raw)));
        let stated_now = outcome.unwrap_or_else(|_| panic!("seed {seed}, try {tried}: it panics on {raw:?}"));
        assert!(began.elapsed() < PATIENCE, "seed {seed}, try {tried}: {:?} for {raw:?}", began.elapsed());
        tried += 1;
        stated += u64::from(stated_now);
    }
    println!("seed {seed}: {tried} query strings, {stated} of them statements");
    assert!(stated * 50 > tried, "seed {seed}: too few of {tried} get through the parser to tell anything: {stated}");
}

/// Parses, resolves and renders; whether a statement came out.
fn statement(cache: &SchemaCache, raw: &str) -> bool {
    let pairs = decode(raw);
    let again = Query::parse(&pairs, Arguments::Allowed);
    let query = match Query::parse(&pairs, Arguments::Refused) {
        Ok(query) => query,
        Err(error) => {
            assert!(["PGRST100", "22003"].contains(&error.code()), "{}: {raw:?}", error.code());
            return false;
        }
    };
    assert!(again.is_ok(), "what parses for a table parses for a function: {raw:?}");
    let relation = cache.relation("public", "films").expect("the schema has films");
    let Ok(mut node) = Node::build(cache, relation, &relation.name, &query) else { return false };
    node.window = query.window();
    let form = BodyForm { media: Media::Json, shape: Shape::Rows };
    let Ok(statement) = sql::read(cache, &node, form, raw.len().is_multiple_of(2)) else { return false };
    let gathered = sql::gathered(cache, &node).expect("what can be read whole can be read by row");
    for statement in [Some(statement), gathered].into_iter().flatten() {
        let parsed =
            pg_query::parse(&statement.sql).unwrap_or_else(|error| panic!("{error}: {} of {raw:?}", statement.sql));
        assert_eq!(parsed.protobuf.stmts.len(), 1, "{} of {raw:?}", statement.sql);
    }
    true
}

fn query_string(random: &mut StdRng) -> String {
    let mut raw = pick(random, &SEEDS).to_owned();
    for _ in 0..random.random_range(0..6) {
        let at = boundary(&raw, random.random_range(0..=raw.len()));
        let to = boundary(&raw, random.random_range(at..=raw.len().min(at + 12)));
        match random.random_range(0..7) {
            0 => raw.replace_range(at..to, ""),
            1 => raw.insert_str(at, pick(random, &PIECES)),
            2 => raw.replace_range(at..to, pick(random, &PIECES)),
            3 => raw.insert(at, random.random()),
            4 => {
                let again = raw[at..to].to_owned();
                raw.insert_str(at, &again);
            }
            5 => {
                let other = pick(random, &SEEDS);
                let from = boundary(other, random.random_range(0..=other.len()));
                raw.replace_range(at.., &other[from..]);
            }
            _ => {
                let times = if random.random_ratio(1, 50) { 8000 } else { random.random_range(1..30) };
                raw.insert_str(at, &pick(random, &PIECES).repeat(times));
            }
        }
    }
    raw.truncate(boundary(&raw, LONGEST.min(raw.len())));
    raw
}

fn pick(random: &mut StdRng, list: &[&'static str]) -> &'static str {
    list[random.random_range(0..list.len())]
}

fn boundary(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at)
}
