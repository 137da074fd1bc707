//! Hostile URLs, names and redirects against real sockets.

use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;

const LIMITS: Limits = Limits { timeout: Duration::from_secs(5), body_bytes_max: 1000, follow_redirects: true };

/// A resolver that gives its answers in turn, the last one for ever.
struct Answers(Mutex<Vec<Vec<&'static str>>>);

#[async_trait]
impl Lookup for Answers {
    async fn lookup(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        let mut answers = self.0.lock().expect("no panic inside");
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Ok(answer.into_iter().map(|text| text.parse().expect("an address")).collect())
    }
}

/// A server that gives one fixed response, and counts connections.
async fn server(address: &str, response: String) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((address, 0)).await.expect("loopback");
    let (bound, served) = (listener.local_addr().expect("bound"), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&served);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let mut request = [0_u8; 4096];
            let _asked = stream.read(&mut request).await;
            let _told = stream.write_all(response.as_bytes()).await;
        }
    });
    (bound, served)
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn redirect(target: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

fn outbound(allowed: &[&str], answers: &[&[&'static str]]) -> Outbound {
    let allowed = allowed.iter().map(|text| text.parse().expect("a network")).collect();
    let answers = answers.iter().map(|answer| answer.to_vec()).collect();
    Outbound::with_lookup(Settings { allowed, extra_roots_pem: None }, Arc::new(Answers(Mutex::new(answers))))
        .expect("no certificates to read")
}

async fn get(outbound: &Outbound, url: &str) -> Result<String, Error> {
    let request = http::Request::get(url).body(Vec::new()).expect("a request");
    outbound.send(request, LIMITS).await.map(|answer| String::from_utf8(answer.into_body()).expect("text"))
}

#[tokio::test]
async fn addresses_are_refused_in_every_spelling() {
    let outbound = outbound(&[], &[&["127.0.0.1"]]);
    for url in [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://0/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://169.254.169.254/latest/meta-data",
    ] {
        assert!(matches!(get(&outbound, url).await, Err(Error::Private)), "{url}");
    }
    for url in ["http://localhost/", "http://127.0.0.1.nip.example/", "http://metadata.google.internal/"] {
        assert!(matches!(get(&outbound, url).await, Err(Error::ResolvesToPrivate)), "{url}");
    }
    for url in ["ftp://example.com/", "http://public.example@127.0.0.1/", "http://user:pw@example.com/"] {
        assert!(matches!(get(&outbound, url).await, Err(Error::Unusable(_) | Error::Private)), "{url}");
    }
    for host in ["127.0.0.1", "2130706433", "0x7f000001", "017700000001", "[::1]"] {
        assert!(matches!(outbound.resolve(host, 25).await, Err(Error::Private)), "{host}");
    }
    assert!(matches!(outbound.resolve("mail.example", 25).await, Err(Error::ResolvesToPrivate)));
    assert!(matches!(outbound.resolve("a b", 25).await, Err(Error::Unusable(_))));
}

#[tokio::test]
async fn one_private_answer_among_public_ones_is_enough_to_refuse() {
    let outbound = outbound(&[], &[&["93.184.216.34", "127.0.0.1"]]);
    assert!(matches!(get(&outbound, "http://mixed.example/").await, Err(Error::ResolvesToPrivate)));
    assert!(matches!(outbound.resolve("mixed.example", 25).await, Err(Error::ResolvesToPrivate)));
}

#[tokio::test]
async fn a_name_that_changes_its_answer_gains_nothing() {
    let (address, served) = server("127.0.0.1", ok("secret")).await;
    let outbound = outbound(&[], &[&["93.184.216.34"], &["127.0.0.1"]]);
    let checked = outbound.resolve("rebind.example", 80).await.expect("the first answer is public");
    assert_eq!(checked[0].ip().to_string(), "93.184.216.34");
    let again = get(&outbound, &format!("http://rebind.example:{}/", address.port())).await;
    assert!(matches!(again, Err(Error::ResolvesToPrivate)));
    assert_eq!(served.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_not_followed() {
    let (secret, served) = server("127.0.0.3", ok("secret")).await;
    for target in [format!("http://{secret}/"), format!("http://inside.example:{}/", secret.port())] {
        let (entry, _) = server("127.0.0.2", redirect(&target)).await;
        let outbound = outbound(&["127.0.0.2/32"], &[&["127.0.0.3"]]);
        let error = get(&outbound, &format!("http://{entry}/")).await.expect_err("refused");
        assert!(error.is_refusal(), "{target}: {error}");
    }
    assert_eq!(served.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_the_operator_allows_is_reached_within_limits() {
    let (address, _) = server("127.0.0.1", ok("hello")).await;
    let outbound = outbound(&["127.0.0.0/8"], &[&["127.0.0.1"]]);
    assert_eq!(get(&outbound, &format!("http://{address}/")).await.expect("allowed"), "hello");
    assert_eq!(get(&outbound, &format!("http://inside.example:{}/", address.port())).await.expect("allowed"), "hello");

    let (large, _) = server("127.0.0.1", ok(&"x".repeat(1001))).await;
    assert!(matches!(get(&outbound, &format!("http://{large}/")).await, Err(Error::TooLarge)));

    let (staying, _) = server("127.0.0.1", redirect("http://127.0.0.1:1/")).await;
    let request = http::Request::get(format!("http://{staying}/")).body(Vec::new()).expect("a request");
    let answer = outbound.send(request, Limits { follow_redirects: false, ..LIMITS }).await.expect("an answer");
    assert_eq!(answer.status(), 302);

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let silent = format!("http://{}/", listener.local_addr().expect("bound"));
    let request = http::Request::get(silent).body(Vec::new()).expect("a request");
    let late = outbound.send(request, Limits { timeout: Duration::from_millis(50), ..LIMITS }).await;
    assert!(matches!(late, Err(Error::Timeout)));
}

#[tokio::test]
async fn endless_redirects_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let listener = TcpListener::bind(address).await.expect("the port is free");
    let response = redirect(&format!("http://{address}/again"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0_u8; 4096];
            let _asked = stream.read(&mut request).await;
            let _told = stream.write_all(response.as_bytes()).await;
        }
    });
    let outbound = outbound(&["127.0.0.0/8"], &[&["127.0.0.1"]]);
    assert!(matches!(get(&outbound, &format!("http://{address}/")).await, Err(Error::TooManyRedirects)));
}
