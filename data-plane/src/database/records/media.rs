//! Which media type answers an `Accept` header.

use http::{HeaderMap, header};

use super::error::Error;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// `application/json`
    Json,
    /// `application/vnd.pgrst.array+json`, perhaps with nulls stripped.
    Array {
        /// `nulls=stripped`
        stripped: bool,
    },
    /// `application/vnd.pgrst.object+json`: exactly one row.
    Object {
        /// `nulls=stripped`
        stripped: bool,
    },
    /// `text/csv`
    Csv,
    /// `application/geo+json`, which PostGIS makes.
    GeoJson,
}

impl Media {
    /// The best acceptable type; an absent header accepts JSON.
    pub(crate) fn negotiate(headers: &HeaderMap) -> Result<Self, Error> {
        let accept: Vec<&str> =
            headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
        let accept = accept.join(",");
        if accept.trim().is_empty() {
            return Ok(Self::Json);
        }
        let mut ranges: Vec<(f32, &str)> = accept.split(',').map(|range| (quality(range), range.trim())).collect();
        // The sort is stable, so that equal weights keep the client's order.
        ranges.sort_by(|left, right| right.0.total_cmp(&left.0));
        let found = ranges.iter().filter(|(quality, _)| *quality > 0.0).find_map(|(_, range)| Self::from_range(range));
        found.ok_or_else(|| {
            let types: Vec<&str> = ranges.iter().map(|(_, range)| *range).collect();
            Error::new(406, "PGRST107", format!("None of these media types are available: {}", types.join(", ")))
        })
    }

    fn from_range(range: &str) -> Option<Self> {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next()?.to_ascii_lowercase();
        let stripped = parts.any(|parameter| parameter.replace(' ', "") == "nulls=stripped");
        match name.as_str() {
            "*/*" | "application/*" | "application/json" => Some(Self::Json),
            "application/vnd.pgrst.array" | "application/vnd.pgrst.array+json" => Some(Self::Array { stripped }),
            "application/vnd.pgrst.object" | "application/vnd.pgrst.object+json" => Some(Self::Object { stripped }),
            "text/csv" | "text/*" => Some(Self::Csv),
            "application/geo+json" => Some(Self::GeoJson),
            _ => None,
        }
    }

    /// The `Content-Type` of the answer.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Json | Self::Array { stripped: false } => "application/json; charset=utf-8",
            Self::Array { stripped: true } => "application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8",
            Self::Object { stripped: false } => "application/vnd.pgrst.object+json; charset=utf-8",
            Self::Object { stripped: true } => "application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8",
            Self::GeoJson => "application/geo+json; charset=utf-8",
        }
    }

    /// True when the answer must be exactly one row.
    pub(crate) fn singular(self) -> bool {
        matches!(self, Self::Object { .. })
    }

    /// True when the rows are JSON as it comes.
    pub(crate) fn plain_json(self) -> bool {
        !self.strips_nulls() && !matches!(self, Self::Csv | Self::GeoJson)
    }

    /// True when null members are left out.
    pub(crate) fn strips_nulls(self) -> bool {
        matches!(self, Self::Object { stripped: true } | Self::Array { stripped: true })
    }
}

fn quality(range: &str) -> f32 {
    range
        .split(';')
        .filter_map(|parameter| parameter.trim().strip_prefix("q="))
        .find_map(|weight| weight.trim().parse().ok())
        .unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiate(accept: &'static str) -> Result<Media, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, http::HeaderValue::from_static(accept));
        Media::negotiate(&headers)
    }

    #[test]
    fn weights_and_parameters_decide() {
        assert_eq!(negotiate("*/*").expect("any"), Media::Json);
        assert_eq!(negotiate("text/html, text/csv;q=0.5, application/json;q=0.9").expect("json"), Media::Json);
        assert_eq!(
            negotiate("application/vnd.pgrst.object+json;nulls=stripped").expect("object"),
            Media::Object { stripped: true }
        );
        assert_eq!(negotiate("application/vnd.pgrst.plan+json").expect_err("refused").code(), "PGRST107");
    }
}
