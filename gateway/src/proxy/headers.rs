//! Headers on their way through: those of one hop are dropped, those that name the client are ours.

use std::net::IpAddr;

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Version,
    header::{
        CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, FORWARDED, HOST, PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
    },
    request,
};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const MAX_REQUEST_ID: usize = 128;

/// Who is at the other end of a connection, in the form the upstream gets it.
pub(crate) struct Client {
    address: HeaderValue,
    scheme: HeaderValue,
}

impl Client {
    pub(crate) fn new(address: IpAddr, secure: bool) -> Self {
        let text = address.to_canonical().to_string();
        Self {
            address: HeaderValue::from_str(&text).expect("an IP address is a valid header value"),
            scheme: HeaderValue::from_static(if secure { "https" } else { "http" }),
        }
    }
}

/// The protocol an HTTP/1.1 client asks to switch to. HTTP/2 in clear text is not offered, so that wish is dropped.
pub(super) fn wanted_upgrade<B>(request: &Request<B>) -> Option<HeaderValue> {
    if request.version() != Version::HTTP_11 {
        return None;
    }
    let upgrade = request.headers().get(UPGRADE)?;
    let asked = listed(request.headers(), &CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"));
    (asked && !upgrade.as_bytes().eq_ignore_ascii_case(b"h2c")).then(|| upgrade.clone())
}

/// Whether an answer is a stream of events (`text/event-stream`).
pub(super) fn of_events(headers: &HeaderMap) -> bool {
    const EVENTS: &[u8] = b"text/event-stream";
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.as_bytes().get(..EVENTS.len()));
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case(EVENTS))
}

/// Makes a client's headers into the upstream's. Returns the request id.
pub(super) fn prepare(
    parts: &mut request::Parts,
    client: &Client,
    host: HeaderValue,
    upgrade: Option<&HeaderValue>,
) -> HeaderValue {
    let headers = &mut parts.headers;
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    drop_hop_headers(headers);
    headers.remove(EXPECT);
    headers.remove(HTTP2_SETTINGS);
    headers.remove(FORWARDED);
    headers.remove(X_FORWARDED_PORT);
    headers.remove(X_REAL_IP);
    if parts.version == Version::HTTP_2 {
        join_cookies(headers);
    }
    if let Some(protocol) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol.clone());
    }
    headers.insert(X_FORWARDED_FOR, client.address.clone());
    headers.insert(X_FORWARDED_PROTO, client.scheme.clone());
    headers.insert(X_FORWARDED_HOST, host.clone());
    headers.insert(HOST, host);
    match headers.get(X_REQUEST_ID) {
        Some(id) if !id.is_empty() && id.len() <= MAX_REQUEST_ID && id.to_str().is_ok() => id.clone(),
        _ => {
            let id = new_request_id();
            headers.insert(X_REQUEST_ID, id.clone());
            id
        }
    }
}

/// Makes an upstream's headers into the client's.
pub(super) fn finish(headers: &mut HeaderMap, request_id: HeaderValue) {
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    drop_hop_headers(headers);
    name_request(headers, request_id);
}

/// The same for a switch of protocols, whose `Connection` and `Upgrade` belong to both hops.
pub(super) fn finish_upgrade(headers: &mut HeaderMap, request_id: HeaderValue) {
    headers.remove(TRANSFER_ENCODING);
    headers.remove(CONTENT_LENGTH);
    name_request(headers, request_id);
}

fn name_request(headers: &mut HeaderMap, request_id: HeaderValue) {
    headers.entry(X_REQUEST_ID).or_insert(request_id);
}

/// The comma-separated tokens of all headers of one name.
fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

fn drop_hop_headers(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = listed(headers, &CONNECTION).filter_map(|token| token.parse().ok()).collect();
        for name in named.iter().filter(|name| **name != HOST && **name != CONTENT_LENGTH) {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    for name in [KEEP_ALIVE, PROXY_CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    if headers.contains_key(TE) {
        let trailers = listed(headers, &TE).any(|token| token.eq_ignore_ascii_case("trailers"));
        headers.remove(TE);
        if trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
    }
}

/// HTTP/2 clients may split cookies over several fields; HTTP/1.1 knows one.
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let joined = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b"; "[..]);
    if let Ok(value) = HeaderValue::from_bytes(&joined) {
        headers.insert(COOKIE, value);
    }
}

fn new_request_id() -> HeaderValue {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let random: [u8; 16] = rand::random();
    let mut text = [0_u8; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(random) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    HeaderValue::from_bytes(&text).expect("hex digits are a valid header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(request: http::request::Builder) -> HeaderMap {
        let request = request.body(()).expect("valid");
        let upgrade = wanted_upgrade(&request);
        let (mut parts, ()) = request.into_parts();
        let client = Client::new("192.0.2.7".parse().expect("address"), true);
        prepare(&mut parts, &client, HeaderValue::from_static("a.test:1"), upgrade.as_ref());
        parts.headers
    }

    #[test]
    fn client_identity_is_ours_and_hop_headers_end_here() {
        let headers = prepared(
            Request::get("/")
                .header("connection", "keep-alive, X-Secret-Hop, host")
                .header("x-secret-hop", "1")
                .header("keep-alive", "timeout=5")
                .header("transfer-encoding", "chunked")
                .header("content-length", "5")
                .header("te", "gzip, trailers")
                .header("upgrade", "h2c")
                .header("x-forwarded-for", "10.0.0.1")
                .header("x-forwarded-proto", "gopher")
                .header("forwarded", "for=10.0.0.1")
                .header("x-real-ip", "10.0.0.1")
                .header("authorization", "Bearer x"),
        );
        for gone in [
            "connection",
            "x-secret-hop",
            "keep-alive",
            "transfer-encoding",
            "content-length",
            "upgrade",
            "forwarded",
            "x-real-ip",
        ] {
            assert!(!headers.contains_key(gone), "{gone}");
        }
        assert_eq!(headers["x-forwarded-for"], "192.0.2.7");
        assert_eq!(headers["x-forwarded-proto"], "https");
        assert_eq!(headers["x-forwarded-host"], "a.test:1");
        assert_eq!(headers["host"], "a.test:1");
        assert_eq!(headers["te"], "trailers");
        assert_eq!(headers["authorization"], "Bearer x");
        assert_eq!(headers["x-request-id"].len(), 32);
    }

    #[test]
    fn upgrades_survive_and_request_ids_pass() {
        let headers = prepared(
            Request::get("/")
                .header("connection", "Upgrade")
                .header("upgrade", "websocket")
                .header("x-request-id", "mine"),
        );
        assert_eq!(headers["connection"], "upgrade");
        assert_eq!(headers["upgrade"], "websocket");
        assert_eq!(headers["x-request-id"], "mine");
    }

    #[test]
    fn split_cookies_become_one() {
        let headers =
            prepared(Request::get("/").version(Version::HTTP_2).header("cookie", "a=1").header("cookie", "b=2"));
        assert_eq!(headers["cookie"], "a=1; b=2");
    }
}
