//! Windows asked for by parameter and by the `Range` header, and the `Content-Range` that answers them.

use axum::http::{HeaderMap, Method, header};

use super::{error::Error, query::Window};

/// The window of a read: parameters and, for GET, the header, whichever is narrower.
pub(super) fn window(method: &Method, headers: &HeaderMap, asked: Window) -> Result<Window, Error> {
    check(asked)?;
    let asked = Window { limit: asked.limit, offset: asked.offset.max(0) };
    let Some((from, to)) = header_range(headers).filter(|_| *method == Method::GET) else { return Ok(asked) };
    if to.is_some_and(|to| to < from) {
        return Err(unsatisfiable(
            "The lower boundary must be lower than or equal to the upper boundary in the Range header.",
        ));
    }
    let offset = asked.offset.max(from);
    let last_asked = asked.limit.map(|limit| asked.offset.saturating_add(limit) - 1);
    let last = [last_asked, to].into_iter().flatten().min();
    if asked.limit != Some(0) && last.is_some_and(|last| last < offset) {
        return Err(unsatisfiable("Limit should be greater than or equal to zero."));
    }
    Ok(Window { limit: last.map(|last| last.saturating_sub(offset).saturating_add(1).max(0)), offset })
}

/// Refuses a limit below zero.
pub(super) fn check(asked: Window) -> Result<(), Error> {
    match asked.limit {
        Some(limit) if limit < 0 => Err(unsatisfiable("Limit should be greater than or equal to zero.")),
        _ => Ok(()),
    }
}

fn header_range(headers: &HeaderMap) -> Option<(i64, Option<i64>)> {
    let value = headers.get(header::RANGE)?.to_str().ok()?;
    let (from, to) = value.split_once('-')?;
    let to = if to.is_empty() { None } else { Some(to.parse().ok()?) };
    Some((from.parse().ok()?, to))
}

/// The value of `Content-Range`.
pub(super) fn content_range(offset: i64, page: i64, total: Option<i64>) -> String {
    let rows = if page > 0 && total != Some(0) { format!("{offset}-{}", offset + page - 1) } else { "*".to_owned() };
    format!("{rows}/{}", total.map_or_else(|| "*".to_owned(), |total| total.to_string()))
}

/// The status of a read, or the error when the offset lies beyond the total.
pub(super) fn status(offset: i64, page: i64, total: Option<i64>) -> Result<u16, Error> {
    let Some(total) = total else { return Ok(200) };
    if offset > total {
        return Err(unsatisfiable(&format!("An offset of {offset} was requested, but there are only {total} rows.")));
    }
    Ok(if page < total { 206 } else { 200 })
}

fn unsatisfiable(details: &str) -> Error {
    Error::new(416, "PGRST103", "Requested range not satisfiable").details(details)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_parameters_intersect() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, "5-9".parse().expect("a header"));
        let asked = Window { limit: Some(3), offset: 4 };
        assert_eq!(window(&Method::GET, &headers, asked).expect("fits"), Window { limit: Some(2), offset: 5 });
        assert_eq!(window(&Method::HEAD, &headers, asked).expect("fits"), asked);
        headers.insert(header::RANGE, "0-9223372036854775807".parse().expect("a header"));
        let everything = window(&Method::GET, &headers, Window::default()).expect("fits");
        assert_eq!(everything, Window { limit: Some(i64::MAX), offset: 0 });
        headers.insert(header::RANGE, "9-5".parse().expect("a header"));
        assert!(window(&Method::GET, &headers, Window::default()).is_err());
    }

    #[test]
    fn content_ranges() {
        assert_eq!(content_range(0, 10, None), "0-9/*");
        assert_eq!(content_range(10, 5, Some(15)), "10-14/15");
        assert_eq!(content_range(0, 0, Some(0)), "*/0");
        assert_eq!(content_range(0, 0, None), "*/*");
        assert_eq!(status(0, 5, Some(15)).expect("partial"), 206);
        assert_eq!(status(20, 0, Some(15)).expect_err("beyond").code(), "PGRST103");
    }
}
