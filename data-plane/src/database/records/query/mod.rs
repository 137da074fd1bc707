//! The query string of a records or rpc request, parsed: no name in it has been looked up yet.

mod cursor;
mod field;
mod filters;
mod order;
mod select;

pub(crate) use cursor::ParseError;
pub(crate) use field::{Field, JsonKey};
pub(crate) use filters::{Condition, Operation, Operator, Quantifier, SearchKind, Test, Truth};
pub(crate) use order::OrderTerm;
pub(crate) use select::{EmbedRequest, SelectItem};

use super::error::Error;

/// `limit` and `offset` of one relation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    /// Most rows wanted.
    pub(crate) limit: Option<i64>,
    /// Rows skipped.
    pub(crate) offset: i64,
}

/// Names of the embedded relations between the root and where a parameter applies.
pub(crate) type Path = Vec<String>;

/// Everything the query string asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    /// What is selected.
    pub(crate) select: Vec<SelectItem>,
    /// True when `select` was given.
    pub(crate) selects: bool,
    /// Conditions and where they apply.
    pub(crate) filters: Vec<(Path, Condition)>,
    /// Orderings and where they apply.
    pub(crate) order: Vec<(Path, Vec<OrderTerm>)>,
    /// Windows and where they apply.
    pub(crate) windows: Vec<(Path, Window)>,
    /// `columns`
    pub(crate) columns: Option<Vec<String>>,
    /// `on_conflict`
    pub(crate) on_conflict: Option<Vec<String>>,
    /// Keys whose value is no operator: the arguments of a function called by GET.
    pub(crate) arguments: Vec<(String, String)>,
}

/// Whether keys with plain values are function arguments or mistakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arguments {
    /// rpc by GET or HEAD.
    Allowed,
    /// Everything else.
    Refused,
}

impl Query {
    /// Parses decoded key-value pairs in the order they came.
    pub(crate) fn parse(pairs: &[(String, String)], arguments: Arguments) -> Result<Self, Error> {
        let mut query = Self { select: vec![SelectItem::All], ..Self::default() };
        for (key, value) in pairs {
            query.take(key, value, arguments)?;
        }
        Ok(query)
    }

    /// The window at the root.
    pub(crate) fn window(&self) -> Window {
        self.windows.iter().find(|(path, _)| path.is_empty()).map(|(_, window)| *window).unwrap_or_default()
    }

    fn take(&mut self, key: &str, value: &str, arguments: Arguments) -> Result<(), Error> {
        match key {
            "select" if self.selects => return Ok(()),
            "select" => {
                self.select = select::select(value).map_err(|error| unparsable("select parameter", value, &error))?;
                self.selects = true;
                return Ok(());
            }
            "columns" if self.columns.is_some() => return Ok(()),
            "columns" => {
                let names = select::names(value).map_err(|error| unparsable("columns parameter", value, &error))?;
                self.columns = Some(names);
                return Ok(());
            }
            "on_conflict" if self.on_conflict.is_some() => return Ok(()),
            "on_conflict" => {
                let names = select::names(value).map_err(|error| unparsable("on_conflict parameter", value, &error))?;
                self.on_conflict = Some(names);
                return Ok(());
            }
            _ => {}
        }
        let segments: Vec<&str> = key.split('.').collect();
        let (last, before) = segments.split_last().expect("split yields at least one part");
        match *last {
            "order" => {
                let terms = order::order(value).map_err(|error| unparsable("order", value, &error))?;
                self.order.push((path(before), terms));
                Ok(())
            }
            "limit" | "offset" => self.take_window(path(before), last, value),
            "and" | "or" => self.take_tree(last, before, value),
            _ => self.take_filter(key, value, arguments),
        }
    }

    fn take_tree(&mut self, word: &str, before: &[&str], value: &str) -> Result<(), Error> {
        let (negated, before) = match before.split_last() {
            Some((&"not", rest)) => (true, rest),
            _ => (false, before),
        };
        let tree =
            filters::tree(word == "or", negated, value).map_err(|error| unparsable("logic tree", value, &error))?;
        self.filters.push((path(before), tree));
        Ok(())
    }

    fn take_filter(&mut self, key: &str, value: &str, arguments: Arguments) -> Result<(), Error> {
        let parsed = filters::operation(value);
        if arguments == Arguments::Allowed && parsed.is_err() && !value.starts_with("not.") {
            self.arguments.push((key.to_owned(), value.to_owned()));
            return Ok(());
        }
        let (path, field) = filters::key(key).map_err(|error| unparsable("filter", key, &error))?;
        let (negated, operation) = parsed.map_err(|error| unparsable("filter", value, &error))?;
        self.filters.push((path, Condition::Test(Test { field, negated, operation })));
        Ok(())
    }

    /// A number that does not parse asks for nothing, as the wire contract's server has it.
    fn take_window(&mut self, path: Path, word: &str, value: &str) -> Result<(), Error> {
        let digits = value.strip_prefix('-').unwrap_or(value);
        let number = match value.parse::<i64>() {
            Ok(number) => number,
            Err(_) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                return Err(Error::new(400, "22003", format!("value \"{value}\" is out of range for type bigint")));
            }
            Err(_) => return Ok(()),
        };
        if !self.windows.iter().any(|(known, _)| *known == path) {
            self.windows.push((path.clone(), Window::default()));
        }
        for (known, window) in &mut self.windows {
            if *known == path {
                match word {
                    "limit" => window.limit = Some(number),
                    _ => window.offset = number,
                }
            }
        }
        Ok(())
    }
}

/// Decodes a raw query string; `+` is a space.
pub(crate) fn decode(raw: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(raw.as_bytes()).into_owned().collect()
}

fn path(segments: &[&str]) -> Path {
    segments.iter().map(|segment| segment.trim_matches('"').to_owned()).collect()
}

fn unparsable(what: &str, value: &str, error: &ParseError) -> Error {
    Error::unparsable(what, value, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(raw: &str) -> Result<Query, Error> {
        Query::parse(&decode(raw), Arguments::Refused)
    }

    #[test]
    fn filters_go_where_their_path_says() {
        let query = parse("a=gte.1&a=lte.9&rel.b=eq.x&rel.limit=3&rel.order=b.desc&rel.not.or=(c.is.null,and(d.eq.1,e.not.in.(1,\"2,3\")))").expect("parses");
        assert_eq!(query.filters.len(), 4);
        assert_eq!(query.filters[2].0, ["rel"]);
        assert_eq!(query.windows, [(vec!["rel".to_owned()], Window { limit: Some(3), offset: 0 })]);
        let (path, Condition::Tree { negated: true, any: true, children }) = &query.filters[3] else {
            panic!("a tree")
        };
        assert_eq!(path, &["rel"]);
        assert_eq!(children.len(), 2);
    }

    #[test]
    fn values_are_taken_whole_outside_trees() {
        let query = parse("name=eq.a,b)%22c").expect("parses");
        let Condition::Test(test) = &query.filters[0].1 else { panic!("a test") };
        assert_eq!(test.operation, Operation::Binary(Operator::Equal, "a,b)\"c".into()));
    }

    #[test]
    fn every_operator_parses() {
        for operator in "eq neq gt gte lt lte like ilike match imatch cs cd ov sl sr nxr nxl adj isdistinct fts plfts phfts wfts fts(english) eq(any) like(all)".split(' ') {
            assert!(parse(&format!("a={operator}.x")).is_ok(), "{operator}");
            assert!(parse(&format!("a=not.{operator}.x")).is_ok(), "not {operator}");
            assert!(parse(&format!("or=(a.{operator}.x,a.not.{operator}.\"y,z\")")).is_ok(), "{operator} in a tree");
        }
    }

    #[test]
    fn bad_operators_are_refused() {
        for bad in [
            "a=eq",
            "a=1",
            "a=foo.1",
            "a=is.maybe",
            "a=in.1",
            "a=in.(1",
            "a=cs(any).x",
            "or=(a.eq.1",
            "or=a.eq.1",
            "a->>b.c=eq.1",
        ] {
            let error = parse(bad).expect_err(bad);
            assert_eq!(error.code(), "PGRST100", "{bad}");
        }
    }

    #[test]
    fn plain_values_are_arguments_only_for_rpc() {
        let query = Query::parse(&decode("a=1&b=eq.2&c={1,2}"), Arguments::Allowed).expect("parses");
        assert_eq!(query.arguments.len(), 2);
        assert_eq!(query.filters.len(), 1);
    }
}
