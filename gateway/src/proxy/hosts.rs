//! Which host a request is for.

use std::borrow::Cow;

use http::{HeaderValue, Request, header::HOST};

/// The requested host as the client wrote it, port included. The request target wins over the `Host` header; a missing,
/// repeated or unreadable one is `None`, as is an HTTP/2 request whose two hosts differ.
pub(super) fn requested<B>(request: &Request<B>) -> Option<HeaderValue> {
    let mut headers = request.headers().get_all(HOST).iter();
    let header = headers.next();
    if headers.next().is_some() {
        return None;
    }
    if let Some(authority) = request.uri().authority() {
        if header.is_some_and(|header| !header.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())) {
            return None;
        }
        if authority.as_str().contains('@') {
            return None;
        }
        return HeaderValue::from_str(authority.as_str()).ok();
    }
    let header = header?;
    header.to_str().is_ok().then(|| header.clone())
}

/// The host as routes are keyed: lower case, no port, no final dot.
pub(super) fn lookup_key(host: &HeaderValue) -> Cow<'_, str> {
    let text = host.to_str().unwrap_or_default();
    let name = match text.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => text,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(host: &'static str) -> String {
        lookup_key(&HeaderValue::from_static(host)).into_owned()
    }

    #[test]
    fn hosts_are_keyed_without_case_port_and_final_dot() {
        assert_eq!(key("AbC.us-east.localhost:7180"), "abc.us-east.localhost");
        assert_eq!(key("abc.us-east.localhost."), "abc.us-east.localhost");
        assert_eq!(key("abc.localhost.:80"), "abc.localhost");
        assert_eq!(key("[::1]"), "[::1]");
        assert_eq!(key("[::1]:80"), "[::1]");
    }

    #[test]
    fn ambiguous_hosts_are_refused() {
        let two = Request::builder().uri("/").header(HOST, "a").header(HOST, "b").body(()).expect("valid");
        assert!(requested(&two).is_none());
        let differing = Request::builder().uri("http://a/").header(HOST, "b").body(()).expect("valid");
        assert!(requested(&differing).is_none());
        let none = Request::builder().uri("/").body(()).expect("valid");
        assert!(requested(&none).is_none());
        let target = Request::builder().uri("http://a:1/").header(HOST, "A:1").body(()).expect("valid");
        assert_eq!(requested(&target).expect("same host"), "a:1");
    }
}
