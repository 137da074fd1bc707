//! Certificates, ALPN and SNI.

use std::{io, os::unix::fs::PermissionsExt as _, sync::Arc};

use gateway::TlsSource;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::harness::{Edge, FakeWaker, Settings};

const HOST: &str = "a.us-east.localhost";

fn https() -> Settings {
    Settings { https: true, ..Settings::default() }
}

async fn connect(edge: &Edge, ca_pem: &str, name: &str, alpn: &[u8]) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let stream = TcpStream::connect(edge.gateway.https_address().unwrap()).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await
}

#[tokio::test]
async fn http1_and_http2_are_served_behind_tls() {
    let edge = Edge::start_with(https()).await;
    edge.project(HOST).await;
    let ca = edge.gateway.ca_pem().unwrap().to_owned();

    let stream = connect(&edge, &ca, HOST, b"http/1.1").await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("/seen").header("host", HOST).body(Empty::<Bytes>::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let seen = response.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8(seen.to_vec()).unwrap().contains("x-forwarded-proto: https\n"));

    let stream = connect(&edge, &ca, HOST, b"h2").await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let calls = (0..20).map(|index| {
        let mut sender = sender.clone();
        async move {
            let request = Request::get(format!("https://{HOST}/seen?{index}"))
                .header("cookie", "a=1")
                .header("cookie", "b=2")
                .body(Empty::<Bytes>::new())
                .unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            let seen = String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
            assert!(seen.starts_with(&format!("GET /seen?{index} HTTP/1.1\n")), "{seen}");
            assert!(seen.contains(&format!("host: {HOST}\n")) && seen.contains("cookie: a=1; b=2\n"), "{seen}");
        }
    });
    futures::future::join_all(calls).await;
}

#[tokio::test]
async fn names_the_certificate_does_not_cover_are_refused_in_the_handshake() {
    let edge = Edge::start_with(https()).await;
    let project = edge.project(HOST).await;
    edge.waker.kill(project);
    let ca = edge.gateway.ca_pem().unwrap().to_owned();
    for name in ["evil.example", "a.b.us-east.localhost", "a.us-west.localhost"] {
        assert!(connect(&edge, &ca, name, b"http/1.1").await.is_err(), "{name}");
    }
    for name in ["localhost", "127.0.0.1", "other.eu-central.localhost", HOST] {
        connect(&edge, &ca, name, b"http/1.1").await.unwrap();
    }
    assert_eq!(edge.waker.wakes(), 0);
}

#[tokio::test]
async fn the_authority_is_made_once_and_its_key_is_private() {
    let edge = Edge::start_with(https()).await;
    let ca = edge.gateway.ca_pem().unwrap().to_owned();
    let key = edge.home.path().join("ca/ca.key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let edge = edge.crash_and_restart(https()).await;
    assert_eq!(edge.gateway.ca_pem().unwrap(), ca);
    connect(&edge, &ca, HOST, b"h2").await.unwrap();
}

/// Writes a self-signed certificate for `name`; returns it.
fn write_pem(folder: &std::path::Path, name: &str) -> String {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    std::fs::write(folder.join("own.key"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("own.pem"), made.cert.pem()).unwrap();
    made.cert.pem()
}

#[tokio::test]
async fn the_operators_files_are_used_and_read_again_when_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let first = write_pem(folder.path(), "cloud.example");
    let tls = TlsSource::PemFiles { certificate: folder.path().join("own.pem"), key: folder.path().join("own.key") };
    let settings = Settings { https: true, tls, ..Settings::default() };
    let edge = Edge::start_in(tempfile::tempdir().unwrap(), FakeWaker::new(), settings).await;
    assert!(edge.gateway.ca_pem().is_none());
    connect(&edge, &first, "cloud.example", b"h2").await.unwrap();
    assert!(connect(&edge, &first, HOST, b"h2").await.is_err());
    let second = write_pem(folder.path(), "new.example");
    crate::harness::eventually("the new certificate is shown", async || {
        connect(&edge, &second, "new.example", b"h2").await.is_ok()
    })
    .await;
}
