//! The `Prefer` request header and its echo, `Preference-Applied`.

use http::{HeaderMap, HeaderValue};

use super::{error::Error, execute::Outcome};

/// What the answer to a write carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Return {
    /// The rows.
    Representation,
    /// `Location` only.
    HeadersOnly,
    /// Nothing.
    Minimal,
}

/// What an insert does with a row that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// Overwrite it.
    Merge,
    /// Keep it.
    Ignore,
}

/// How the total is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// By counting.
    Exact,
    /// By asking the planner.
    Planned,
    /// The larger of the two.
    Estimated,
}

/// The preferences of one request; the first value of each wins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Preferences {
    /// `resolution=`
    pub(crate) resolution: Option<Resolution>,
    /// `return=`
    pub(crate) returned: Option<Return>,
    /// `count=`
    pub(crate) count: Option<Count>,
    /// True for `missing=default`, false for `missing=null`.
    pub(crate) missing_default: Option<bool>,
    /// True for `handling=strict`, false for `handling=lenient`.
    pub(crate) strict: Option<bool>,
    /// `timezone=`
    pub(crate) timezone: Option<String>,
    /// `max-affected=`
    pub(crate) max_affected: Option<i64>,
    /// `params=single-object`: a function takes the whole body as its only argument.
    pub(crate) single_object: bool,
}

impl Preferences {
    /// Reads every `Prefer` header; unknown ones matter only with `handling=strict`.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, Error> {
        let mut preferences = Self::default();
        let mut unknown = Vec::new();
        let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        for word in values.flat_map(|value| value.split(',')).map(str::trim).filter(|word| !word.is_empty()) {
            if !preferences.take(word) {
                unknown.push(word.to_owned());
            }
        }
        if preferences.strict == Some(true) && !unknown.is_empty() {
            return Err(Error::invalid_preference(&unknown.join(", ")));
        }
        Ok(preferences)
    }

    /// Whether rows are counted; the planner's number alone needs none.
    pub(super) fn counts(&self) -> bool {
        matches!(self.count, Some(Count::Exact | Count::Estimated))
    }

    fn take(&mut self, word: &str) -> bool {
        match word {
            "resolution=merge-duplicates" => first(&mut self.resolution, Resolution::Merge),
            "resolution=ignore-duplicates" => first(&mut self.resolution, Resolution::Ignore),
            "return=representation" => first(&mut self.returned, Return::Representation),
            "return=headers-only" => first(&mut self.returned, Return::HeadersOnly),
            "return=minimal" => first(&mut self.returned, Return::Minimal),
            "count=exact" => first(&mut self.count, Count::Exact),
            "count=planned" => first(&mut self.count, Count::Planned),
            "count=estimated" => first(&mut self.count, Count::Estimated),
            "missing=default" => first(&mut self.missing_default, true),
            "missing=null" => first(&mut self.missing_default, false),
            "handling=strict" => first(&mut self.strict, true),
            "handling=lenient" => first(&mut self.strict, false),
            "params=single-object" => self.single_object = true,
            "tx=commit" | "tx=rollback" => {}
            _ => return self.take_valued(word),
        }
        true
    }

    fn take_valued(&mut self, word: &str) -> bool {
        match word.split_once('=') {
            Some(("timezone", zone)) if !zone.is_empty() => {
                first(&mut self.timezone, zone.to_owned());
                true
            }
            Some(("max-affected", number)) => number.parse().is_ok_and(|number| {
                first(&mut self.max_affected, number);
                true
            }),
            _ => false,
        }
    }

    /// `max-affected` binds only together with `handling=strict`.
    pub(crate) fn enforced_max_affected(&self) -> Option<i64> {
        self.max_affected.filter(|_| self.strict == Some(true))
    }

    /// Refuses what affects more rows than the client allows.
    pub(crate) fn approve_affected(&self, rows: i64) -> Result<(), Error> {
        match self.enforced_max_affected() {
            Some(most) if rows > most => {
                Err(Error::new(400, "PGRST124", "Query result exceeds max-affected preference constraint")
                    .details(format!("The query affects {rows} rows")))
            }
            _ => Ok(()),
        }
    }

    /// The `Preference-Applied` header, when anything was applied.
    pub(super) fn applied(&self, to: AppliedTo, outcome: &Outcome) -> Option<HeaderValue> {
        self.echo(to, !outcome.timezone_refused)
    }

    fn echo(&self, to: AppliedTo, timezone_set: bool) -> Option<HeaderValue> {
        let writes = to != AppliedTo::Read;
        let words = [
            self.resolution.filter(|_| to == AppliedTo::Insert { upsert: true }).map(|resolution| match resolution {
                Resolution::Merge => "resolution=merge-duplicates".to_owned(),
                Resolution::Ignore => "resolution=ignore-duplicates".to_owned(),
            }),
            self.missing_default
                .filter(|_| matches!(to, AppliedTo::Insert { .. } | AppliedTo::Update))
                .map(|default| if default { "missing=default".to_owned() } else { "missing=null".to_owned() }),
            self.returned.filter(|_| writes && to != AppliedTo::Call).map(|returned| match returned {
                Return::Representation => "return=representation".to_owned(),
                Return::HeadersOnly => "return=headers-only".to_owned(),
                Return::Minimal => "return=minimal".to_owned(),
            }),
            (self.single_object && to == AppliedTo::Call).then(|| "params=single-object".to_owned()),
            self.count.map(|count| match count {
                Count::Exact => "count=exact".to_owned(),
                Count::Planned => "count=planned".to_owned(),
                Count::Estimated => "count=estimated".to_owned(),
            }),
            self.strict.map(|strict| if strict { "handling=strict".to_owned() } else { "handling=lenient".to_owned() }),
            self.timezone.as_ref().filter(|_| timezone_set).map(|zone| format!("timezone={zone}")),
            self.enforced_max_affected()
                .filter(|_| matches!(to, AppliedTo::Update | AppliedTo::Delete | AppliedTo::Call))
                .map(|number| format!("max-affected={number}")),
        ];
        let words: Vec<String> = words.into_iter().flatten().collect();
        if words.is_empty() { None } else { HeaderValue::from_str(&words.join(", ")).ok() }
    }
}

/// What kind of request the preferences were applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppliedTo {
    /// GET and HEAD.
    Read,
    /// POST.
    Insert {
        /// True when there was a conflict target.
        upsert: bool,
    },
    /// PUT.
    Put,
    /// PATCH.
    Update,
    /// DELETE.
    Delete,
    /// rpc.
    Call,
}

fn first<T>(slot: &mut Option<T>, value: T) {
    if slot.is_none() {
        *slot = Some(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<Preferences, Error> {
        let mut headers = HeaderMap::new();
        headers.insert("prefer", HeaderValue::from_str(value).expect("a header"));
        Preferences::read(&headers)
    }

    #[test]
    fn the_first_value_wins_and_is_echoed() {
        let preferences =
            read("return=representation, count=exact,return=minimal, resolution=merge-duplicates, foo=bar")
                .expect("lenient");
        assert_eq!(preferences.returned, Some(Return::Representation));
        let echo = preferences.echo(AppliedTo::Insert { upsert: true }, true).expect("an echo");
        assert_eq!(echo, "resolution=merge-duplicates, return=representation, count=exact");
        assert_eq!(preferences.echo(AppliedTo::Read, true).expect("an echo"), "count=exact");
    }

    #[test]
    fn strict_handling_refuses_the_unknown_and_enables_max_affected() {
        assert_eq!(read("handling=strict, foo=bar").expect_err("strict").code(), "PGRST122");
        assert_eq!(read("max-affected=1").expect("lenient").enforced_max_affected(), None);
        assert_eq!(read("max-affected=1, handling=strict").expect("strict").enforced_max_affected(), Some(1));
    }
}
