//! Generates requests from a seed: reads, embeds, writes, upserts, calls and mistakes.

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};

use super::case::Case;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    Number,
    Text,
    Flag,
    List,
    Json,
}

/// A table that requests are made for.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) key: &'static [&'static str],
    pub(crate) columns: &'static [(&'static str, Holds)],
    /// Embeds, with a column of theirs to filter and order by.
    embeds: &'static [(&'static str, &'static str, &'static str)],
}

pub(crate) const TABLES: [Table; 7] = [
    Table {
        name: "films",
        key: &["id"],
        columns: &[
            ("id", Holds::Number),
            ("title", Holds::Text),
            ("year", Holds::Number),
            ("rating", Holds::Number),
            ("director_id", Holds::Number),
            ("tags", Holds::List),
            ("details", Holds::Json),
            ("adult", Holds::Flag),
            ("plot", Holds::Text),
        ],
        embeds: &[
            ("directors", "directors", "name"),
            ("d:directors", "d", "name"),
            ("box_office", "box_office", "gross"),
            ("actors!castings", "actors", "name"),
            ("castings", "castings", "part"),
            ("categories", "categories", "name"),
            ("maker", "maker", "name"),
        ],
    },
    Table {
        name: "directors",
        key: &["id"],
        columns: &[("id", Holds::Number), ("name", Holds::Text), ("website", Holds::Text)],
        embeds: &[
            ("films", "films", "title"),
            ("f:films", "f", "year"),
            ("film_list", "film_list", "title"),
            ("works", "works", "title"),
        ],
    },
    Table {
        name: "users",
        key: &["org", "number"],
        columns: &[("org", Holds::Number), ("number", Holds::Number), ("name", Holds::Text), ("mail", Holds::Text)],
        embeds: &[("memberships", "memberships", "club"), ("users", "users", "name")],
    },
    Table {
        name: "castings",
        key: &["film_id", "actor_id"],
        columns: &[("film_id", Holds::Number), ("actor_id", Holds::Number), ("part", Holds::Text)],
        embeds: &[("films", "films", "title"), ("actors", "actors", "name")],
    },
    Table {
        name: "plain",
        key: &["id"],
        columns: &[("id", Holds::Number), ("name", Holds::Text), ("note", Holds::Text), ("at_number", Holds::Number)],
        embeds: &[],
    },
    Table {
        name: "orders",
        key: &["id"],
        columns: &[("id", Holds::Number), ("item", Holds::Text), ("billing_id", Holds::Number)],
        embeds: &[("addresses!orders_billing", "addresses", "town"), ("shipping_id", "shipping_id", "town")],
    },
    Table {
        name: "film_list",
        key: &["id"],
        columns: &[("id", Holds::Number), ("title", Holds::Text), ("year", Holds::Number)],
        embeds: &[("directors", "directors", "name"), ("box_office", "box_office", "gross")],
    },
];

/// Calls whose answer depends on nothing but their arguments and the rows.
const CALLS: [&str; 12] = [
    "GET /rpc/add?a=%n&b=%n",
    "GET /rpc/add?a=%n",
    "GET /rpc/hello?name=%t",
    "GET /rpc/overloaded?a=%n&b=%t",
    "GET /rpc/all_films?select=id,title,director_id&id=gt.%n&order=id",
    "GET /rpc/all_films?select=id,directors(name)&order=id&limit=%n",
    "GET /rpc/numbers?count=%n&limit=2",
    "GET /rpc/pairs?x=gte.%n&order=x.desc",
    "GET /rpc/divide?a=%n&b=%n",
    "GET /rpc/film_by_id?wanted=%n&select=id,title",
    "GET /rpc/sum_all?numbers=%n&numbers=%n",
    "GET /rpc/in_out?a=%n",
];

const TEXTS: [&str; 12] =
    ["Parasite", "The Host", "a", "one", "chess", "x,y", "(z)", "100%", "M", "quo\"te", "", "null"];
const PATTERNS: [&str; 6] = ["*a*", "The*", "*o", "P_r*", "*", "%a%"];

/// A source of requests; the same seed gives the same requests.
pub(crate) struct Generator(StdRng);

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    pub(crate) fn request(&mut self) -> Case {
        let mut case = match self.below(20) {
            0..=6 => self.read(),
            7..=10 => self.embed(),
            11..=12 => self.insert(),
            13 => self.upsert(),
            14 => self.update(),
            15 => self.delete(),
            16..=17 => self.call(),
            _ => self.mistake(),
        };
        if case.reads() && self.chance(4) {
            case.headers.insert("prefer".to_owned(), "count=exact".to_owned());
        }
        case
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0.random_range(0..limit)
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        *from.choose(&mut self.0).expect("something to choose from")
    }

    pub(crate) fn table(&mut self) -> &'static Table {
        TABLES.choose(&mut self.0).expect("there are tables")
    }

    fn number(&mut self) -> i64 {
        self.pick(&[0, 1, 2, 3, 4, 5, 6, 99, -1, 1975, 2000, 2019])
    }

    /// `op.value` for a column.
    pub(crate) fn operation(&mut self, holds: Holds, nested: bool) -> String {
        let not = if self.chance(5) { "not." } else { "" };
        let operation = match holds {
            Holds::Number => match self.below(9) {
                0 => format!("in.({},{})", self.number(), self.number()),
                1 => "is.null".to_owned(),
                2 => format!("isdistinct.{}", self.number()),
                3 => format!("eq(any).{{{},{}}}", self.number(), self.number()),
                4 => format!("gt(all).{{{},{}}}", self.number(), self.number()),
                _ => format!("{}.{}", self.pick(&["eq", "neq", "gt", "gte", "lt", "lte"]), self.number()),
            },
            Holds::Text => match self.below(7) {
                0 => format!("in.({},{})", quoted(self.pick(&TEXTS)), quoted(self.pick(&TEXTS))),
                1 => "is.null".to_owned(),
                2 => format!("{}.{}", self.pick(&["like", "ilike"]), self.pick(&PATTERNS)),
                3 => format!("{}.{}", self.pick(&["match", "imatch"]), self.pick(&["^P", "a$", "o", "."])),
                4 => format!("{}.{}", self.pick(&["fts", "plfts", "wfts(english)"]), self.pick(&["host", "cleo"])),
                _ => {
                    let text = self.pick(&TEXTS);
                    let text = if nested { quoted(text) } else { text.to_owned() };
                    format!("{}.{text}", self.pick(&["eq", "neq", "gt", "lte"]))
                }
            },
            Holds::Flag => self.pick(&["is.true", "is.false", "is.null", "is.unknown", "eq.true"]).to_owned(),
            Holds::List => {
                format!("{}.{}", self.pick(&["cs", "cd", "ov", "eq"]), self.pick(&["{paris}", "{}", "{kids,class}"]))
            }
            Holds::Json => format!("{}.{}", self.pick(&["cs", "cd"]), self.pick(&["{\"lang\":\"fr\"}", "[1]", "{}"])),
        };
        format!("{not}{operation}")
    }

    /// A condition as it stands in a logic tree.
    pub(crate) fn condition(&mut self, table: &Table, depth: usize) -> String {
        if depth < 3 && self.chance(3) {
            let not = if self.chance(4) { "not." } else { "" };
            let word = self.pick(&["and", "or"]);
            let children: Vec<String> = (0..self.below(3) + 1).map(|_| self.condition(table, depth + 1)).collect();
            return format!("{not}{word}({})", children.join(","));
        }
        let (name, holds) = self.pick(table.columns);
        format!("{name}.{}", self.operation(holds, true))
    }

    fn filters(&mut self, table: &Table) -> Vec<String> {
        let mut parameters = Vec::new();
        for _ in 0..self.below(3) {
            let (name, holds) = self.pick(table.columns);
            parameters.push(format!("{}={}", name, encoded(&self.operation(holds, false))));
        }
        if self.chance(3) {
            let word = self.pick(&["or", "and", "not.or", "not.and"]);
            let children: Vec<String> = (0..self.below(2) + 1).map(|_| self.condition(table, 1)).collect();
            parameters.push(format!("{word}=({})", encoded(&children.join(","))));
        }
        parameters
    }

    fn order(&mut self, table: &Table) -> String {
        let mut terms = Vec::new();
        if self.chance(2) {
            let (name, holds) = self.pick(table.columns);
            if holds != Holds::Json {
                terms.push(format!("{name}{}", self.pick(&["", ".desc", ".asc.nullsfirst", ".desc.nullslast"])));
            }
        }
        terms.extend(table.key.iter().map(|&name| name.to_owned()));
        format!("order={}", terms.join(","))
    }

    fn window(&mut self) -> Vec<String> {
        let mut parameters = Vec::new();
        if self.chance(3) {
            parameters.push(format!("limit={}", self.below(5) + 1));
        }
        if self.chance(4) {
            parameters.push(format!("offset={}", self.below(4)));
        }
        parameters
    }

    fn items(&mut self, table: &Table) -> String {
        match self.below(4) {
            0 => "*".to_owned(),
            1 => table.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(","),
            _ => {
                let (first, _) = self.pick(table.columns);
                let (second, _) = self.pick(table.columns);
                format!("{first},label:{second}::text")
            }
        }
    }

    fn read(&mut self) -> Case {
        let table = self.table();
        let mut parameters = vec![format!("select={}", self.items(table))];
        parameters.extend(self.filters(table));
        parameters.push(self.order(table));
        parameters.extend(self.window());
        let method = if self.chance(12) { "HEAD" } else { "GET" };
        let mut case = Case::new(format!("{method} /{}?{}", table.name, parameters.join("&")));
        if self.chance(6) {
            let accept = self.pick(&[
                "text/csv",
                "application/vnd.pgrst.object+json",
                "application/vnd.pgrst.array+json;nulls=stripped",
            ]);
            case.headers.insert("accept".to_owned(), accept.to_owned());
        }
        case
    }

    fn embed(&mut self) -> Case {
        let mut table = self.table();
        while table.embeds.is_empty() {
            table = self.table();
        }
        let (written, name, column) = self.pick(table.embeds);
        let inner = if self.chance(3) { "!inner" } else { "" };
        let key = table.key.join(",");
        let mut parameters = vec![format!("select={key},{written}{inner}({column})"), format!("order={key}")];
        parameters.push(format!("{name}.order={column}"));
        if self.chance(3) {
            parameters.push(format!("{name}.limit={}", self.below(3)));
        }
        if self.chance(2) {
            let operation = self.pick(&["not.is.null", "is.null", "in.(chess,one)", "not.in.(Ann)"]);
            let operation = if column == "gross" || column == "year" { "gt.1000" } else { operation };
            parameters.push(format!("{name}.{column}={operation}"));
        }
        if self.chance(3) {
            parameters.push(format!("{name}={}", self.pick(&["is.null", "not.is.null"])));
        }
        parameters.extend(self.filters(table));
        parameters.extend(self.window());
        Case::new(format!("GET /{}?{}", table.name, parameters.join("&")))
    }

    fn row(&mut self, table: &Table, key: i64) -> String {
        let mut members = Vec::new();
        for (name, holds) in table.columns {
            let value = match holds {
                _ if table.key.contains(name) => key.to_string(),
                Holds::Number if name.ends_with("_id") => self.pick(&["1", "2", "null"]).to_owned(),
                Holds::Number => self.pick(&["1", "2.5", "7", "\"8\"", "null"]).to_owned(),
                Holds::Text if *name == "mail" => self.pick(&["\"a@b\"", "null", "\"bad\""]).to_owned(),
                Holds::Text => serde_json::to_string(self.pick(&TEXTS)).expect("a text"),
                Holds::Flag => self.pick(&["true", "false", "null"]).to_owned(),
                Holds::List => self.pick(&["[]", "[\"a\",\"b\"]", "\"{c}\""]).to_owned(),
                Holds::Json => self.pick(&["{\"a\": 1.50}", "null", "[1, 2]"]).to_owned(),
            };
            members.push(format!("\"{name}\": {value}"));
        }
        format!("{{{}}}", members.join(", "))
    }

    fn writable(&mut self) -> &'static Table {
        loop {
            let table = self.table();
            if !matches!(table.name, "castings" | "film_list") {
                return table;
            }
        }
    }

    fn insert(&mut self) -> Case {
        let table = self.writable();
        let rows: Vec<String> = (0..self.below(3) + 1)
            .map(|row| {
                let clash = self.chance(8);
                self.row(table, if clash { 1 } else { 500 + i64::try_from(row).expect("few rows") })
            })
            .collect();
        let mut case = Case::new(format!("POST /{}?select={}", table.name, self.items(table)));
        case.body =
            Some(if rows.len() == 1 && self.chance(2) { rows[0].clone() } else { format!("[{}]", rows.join(",")) });
        let prefer = self.pick(&[
            "return=representation",
            "return=minimal",
            "return=representation, count=exact",
            "missing=default",
        ]);
        case.headers.insert("prefer".to_owned(), prefer.to_owned());
        case
    }

    fn upsert(&mut self) -> Case {
        let table = self.writable();
        let row = self.pick(&[1, 2, 500]);
        let resolution = self.pick(&["merge-duplicates", "ignore-duplicates"]);
        let mut case = Case::new(format!("POST /{}?select={}", table.name, table.key.join(",")));
        case.body = Some(format!("[{}]", self.row(table, row)));
        case.headers.insert("prefer".to_owned(), format!("resolution={resolution}, return=representation"));
        case
    }

    fn update(&mut self) -> Case {
        let table = self.writable();
        let (name, holds) = self.pick(&table.columns[1..]);
        let value = match holds {
            Holds::Number => "1",
            Holds::Text => "\"changed@x\"",
            Holds::Flag => "true",
            Holds::List => "[\"x\"]",
            Holds::Json => "{\"x\": null}",
        };
        let key = table.key.join(",");
        let mut parameters = vec![format!("order={key}")];
        // PostgREST applies logic trees to the changed rows once more, which differences.json says we do not.
        let asks_again = |parameter: &String| parameter.contains("=(") && parameter.contains(name);
        parameters.extend(self.filters(table).into_iter().filter(|parameter| !asks_again(parameter)));
        let mut case = Case::new(format!("PATCH /{}?{}", table.name, parameters.join("&")));
        case.body = Some(format!("{{\"{name}\": {value}}}"));
        let prefer = self.pick(&["return=representation", "return=minimal", "count=exact"]);
        case.headers.insert("prefer".to_owned(), prefer.to_owned());
        case
    }

    fn delete(&mut self) -> Case {
        let table = self.table();
        let key = table.key.join(",");
        let mut parameters = vec![format!("order={key}")];
        parameters.extend(self.filters(table));
        let mut case = Case::new(format!("DELETE /{}?{}", table.name, parameters.join("&")));
        let prefer = self.pick(&["return=representation", "return=minimal", "count=exact"]);
        case.headers.insert("prefer".to_owned(), prefer.to_owned());
        case
    }

    fn call(&mut self) -> Case {
        let mut request = self.pick(&CALLS).to_owned();
        while request.contains("%n") {
            let number = self.pick(&[0, 1, 2, 3, 7]).to_string();
            request = request.replacen("%n", &number, 1);
        }
        while request.contains("%t") {
            request = request.replacen("%t", self.pick(&["a", "b c", "x.y"]), 1);
        }
        Case::new(request)
    }

    fn mistake(&mut self) -> Case {
        let table = self.table();
        let (name, _) = self.pick(table.columns);
        let request = match self.below(8) {
            0 => format!("GET /{}?select=id,nothing", table.name),
            1 => format!("GET /{}?nothing=eq.1", table.name),
            2 => format!("GET /{}?{name}=wrong.1", table.name),
            3 => format!("GET /{}?select={name},nowhere(*)", table.name),
            4 => format!("GET /{}?{}=eq.text", table.name, table.key[0]),
            5 => format!("GET /{}x", table.name),
            6 => format!("GET /{}?order={name}.upwards", table.name),
            _ => format!("GET /rpc/{}?{name}=1", table.name),
        };
        Case::new(request)
    }
}

/// A value as it is quoted in lists and trees.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// What a query string cannot hold as it is, percent-encoded.
fn encoded(text: &str) -> String {
    text.replace('%', "%25").replace('&', "%26").replace('+', "%2B").replace('#', "%23")
}
