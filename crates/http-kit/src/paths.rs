//! A client that joins a base URL ending in a slash with a path asks for `//path`. It gets what it means.

use axum::{Router, extract::Request};
use http::Uri;
use tower::Layer as _;

/// Wraps a router so that doubled and trailing slashes in a path do not matter.
pub fn tolerate_slashes(router: Router) -> Router {
    let layer = tower::util::MapRequestLayer::new(|mut request: Request| {
        if let Some(uri) = collapsed(request.uri()) {
            *request.uri_mut() = uri;
        }
        request
    });
    Router::new().fallback_service(layer.layer(router))
}

fn collapsed(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let untidy = path.contains("//") || (path.len() > 1 && path.ends_with('/'));
    if !untidy {
        return None;
    }
    let mut tidy: String =
        path.split('/').filter(|segment| !segment.is_empty()).flat_map(|segment| ["/", segment]).collect();
    if tidy.is_empty() {
        tidy.push('/');
    }
    if let Some(query) = uri.query() {
        tidy.push('?');
        tidy.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(tidy.parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_untidy_paths_change_and_the_query_stays() {
        let tidy = |text: &str| collapsed(&text.parse().expect("a URI")).map(|uri| uri.to_string());
        assert_eq!(tidy("//auth/v1//login?a=//b").as_deref(), Some("/auth/v1/login?a=//b"));
        assert_eq!(tidy("/organizations/v1/").as_deref(), Some("/organizations/v1"));
        assert_eq!(tidy("//").as_deref(), Some("/"));
        assert_eq!(tidy("/"), None);
        assert_eq!(tidy("/projects/v1?x=1"), None);
    }
}
