//! What Postgres clients are told before any Postgres is asked. Sessions with a real one are tested on whole clouds.

use std::{sync::Arc, time::Duration};

use bytes::BytesMut;
use data_plane_contract::routes::{Restraint, Restriction, Route, RouteState};
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::{backend::Message, frontend};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::harness::{Edge, Settings};

const HOST: &str = "a.us-east.localhost";
const LIMIT: Duration = Duration::from_secs(20);

async fn edge() -> Edge {
    Edge::start_with(Settings { postgres: true, ..Settings::default() }).await
}

async fn tcp(edge: &Edge) -> TcpStream {
    TcpStream::connect(edge.gateway.postgres_address().unwrap()).await.unwrap()
}

async fn tls(edge: &Edge, host: &str) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(edge.gateway.ca_pem().unwrap().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut stream = tcp(edge).await;
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    stream.write_all(&request).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'S');
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(host.to_owned()).unwrap(), stream).await.unwrap()
}

fn startup() -> BytesMut {
    let mut message = BytesMut::new();
    frontend::startup_message([("user", "project_admin"), ("database", "insforge")], &mut message).unwrap();
    message
}

/// SQLSTATE of the one error that comes before the end.
async fn told<S: AsyncRead + Unpin>(mut stream: S) -> String {
    let mut answer = Vec::new();
    timeout(LIMIT, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    let mut answer = BytesMut::from(&answer[..]);
    let Message::ErrorResponse(body) = Message::parse(&mut answer).unwrap().unwrap() else { panic!("an error") };
    assert!(answer.is_empty(), "nothing comes after it");
    let fields: Vec<(u8, String)> = body
        .fields()
        .map(|field| Ok((field.type_(), String::from_utf8_lossy(field.value_bytes()).into_owned())))
        .collect()
        .unwrap();
    fields.into_iter().find(|(kind, _)| *kind == b'C').unwrap().1
}

async fn told_at(edge: &Edge, host: &str) -> String {
    let mut stream = tls(edge, host).await;
    stream.write_all(&startup()).await.unwrap();
    told(stream).await
}

#[tokio::test]
async fn unknown_hosts_clear_text_and_nonsense_wake_nothing() {
    let edge = edge().await;
    let project = edge.project(HOST).await;
    edge.waker.kill(project);
    assert_eq!(told_at(&edge, "b.us-east.localhost").await, "08004");
    assert_eq!(told_at(&edge, "localhost").await, "08004");

    let mut clear = tcp(&edge).await;
    clear.write_all(&startup()).await.unwrap();
    assert_eq!(told(clear).await, "28000");

    for nonsense in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 64], &[0, 0, 0, 8, 4, 210, 22, 48, 0, 0, 0, 8, 4, 210, 22, 48]]
    {
        let mut stream = tcp(&edge).await;
        stream.write_all(nonsense).await.unwrap();
        let mut answer = Vec::new();
        let _reset = timeout(LIMIT, stream.read_to_end(&mut answer)).await.unwrap();
        assert!(answer.is_empty() || answer == b"N", "{answer:?}");
    }
    let mut crooked = tls(&edge, HOST).await;
    crooked.write_all(&[0, 0, 0, 12, 0, 3, 0, 0, b'u', 0, 0, 0]).await.unwrap();
    assert_eq!(told(crooked).await, "08P01");
    let mut huge = tls(&edge, HOST).await;
    huge.write_all(&[0, 255, 0, 0, 0, 3, 0, 0]).await.unwrap();
    assert_eq!(told(huge).await, "08P01");
    assert_eq!(edge.waker.wakes(), 0);
}

#[tokio::test]
async fn what_is_said_before_tls_does_not_count_behind_it() {
    let edge = edge().await;
    edge.project(HOST).await;
    let mut stream = tcp(&edge).await;
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    request.extend(startup());
    stream.write_all(&request).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'S');
    let mut answer = Vec::new();
    let _reset = timeout(LIMIT, stream.read_to_end(&mut answer)).await.unwrap();
    assert_ne!(answer.first(), Some(&b'R'), "nobody signs in");
}

#[tokio::test]
async fn a_postgres_that_asks_for_no_password_lets_nobody_in() {
    let edge = edge().await;
    edge.project(HOST).await;
    let signed_in = [b'R', 0, 0, 0, 8, 0, 0, 0, 0];
    let ready = [b'Z', 0, 0, 0, 5, b'I'];
    let clear_text_password = [b'R', 0, 0, 0, 8, 0, 0, 0, 3];
    for says in [[&signed_in[..], &ready].concat(), ready.to_vec(), clear_text_password.to_vec()] {
        *edge.waker.postgres_says.lock().unwrap() = says;
        assert_eq!(told_at(&edge, HOST).await, "57P03");
    }
}

#[tokio::test]
async fn paused_and_restricted_projects_say_why_and_are_not_woken() {
    let edge = edge().await;
    let project = edge.project(HOST).await;
    edge.waker.kill(project);
    edge.set_state(project, RouteState::Paused).await;
    assert_eq!(told_at(&edge, HOST).await, "57P03");
    edge.set_state(project, RouteState::Serving).await;
    for restraint in [Restraint::Sleep, Restraint::ReadOnly, Restraint::Throttle { requests_per_second: 1 }] {
        let restriction = Some(Restriction { restraint, reason: "too much".to_owned() });
        let route = Route { restriction, ..edge.route(project).await };
        assert_eq!(edge.put(&route).await, 204);
        assert_eq!(told_at(&edge, HOST).await, "53400");
    }
    assert_eq!(edge.waker.wakes(), 0);
}

#[tokio::test]
async fn a_project_that_does_not_come_up_says_so() {
    let edge = edge().await;
    let project = edge.project(HOST).await;
    edge.waker.kill(project);
    edge.waker.fails.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(told_at(&edge, HOST).await, "57P03");
    assert_eq!(edge.waker.wakes(), 1);
}
