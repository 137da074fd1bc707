//! One project's Postgres, reached through the gateway as its developers do: with a Postgres client over TLS, or with `psql`.

use std::{
    fs, io,
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_postgres::{Client, Config, NoTls};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{Cloud, postgres::program};

/// A client that hears nothing for so long is stuck.
const LIMIT: Duration = Duration::from_secs(60);
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// How the Postgres of a project or branch is reached.
#[derive(Clone, Debug)]
pub struct Database {
    address: SocketAddr,
    ca_pem: String,
    /// File of the gateway's certificate authority.
    pub ca_file: PathBuf,
    /// Connection URL as it is shown, with the mask for the password.
    pub url: String,
    /// The parts of the URL.
    pub parameters: Value,
    /// The project's host.
    pub host: String,
    /// The password.
    pub password: String,
}

impl Database {
    /// A project or branch, as the control plane tells its owner.
    ///
    /// # Panics
    /// When it does not.
    pub async fn of(cloud: &Cloud, id: &str) -> Self {
        let api = cloud.api();
        let told = api.get(&format!("/projects/v1/{id}/database-connection-string")).await.expect(200);
        let secret = api.get(&format!("/projects/v1/{id}/database-password")).await.expect(200);
        let ca_pem = cloud.announcement().ca_pem.clone().expect("the cloud has an authority of its own");
        let ca_file = cloud.home().join("ca/ca.pem");
        assert_eq!(fs::read_to_string(&ca_file).expect("it is kept there"), ca_pem);
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{told}")).to_owned();
        Self {
            address: cloud.ports().gateway_postgres,
            ca_pem,
            ca_file,
            url: text(&told["connectionURL"]),
            host: text(&told["parameters"]["host"]),
            parameters: told["parameters"].clone(),
            password: text(&secret["databasePassword"]),
        }
    }

    /// The URL with the password.
    #[must_use]
    pub fn url_with_password(&self) -> String {
        self.url.replace("********", &self.password)
    }

    /// Settings of a client, without a host.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut config = Config::new();
        // TLS is made here; the client gets what is behind it.
        config
            .user("project_admin")
            .dbname("insforge")
            .password(&self.password)
            .ssl_mode(tokio_postgres::config::SslMode::Disable);
        config
    }

    /// TLS to the gateway, asked for as Postgres clients do, or from the first byte on.
    ///
    /// # Errors
    /// The connection breaks or the handshake fails.
    ///
    /// # Panics
    /// When nothing happens for long.
    pub async fn tls(&self, host: &str, sni: bool, direct: Option<&[u8]>) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.ca_pem.as_bytes()).expect("it is PEM")).expect("a certificate");
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.enable_sni = sni;
        config.alpn_protocols = direct.map(<[u8]>::to_vec).into_iter().collect();
        let shaking = async {
            let mut stream = TcpStream::connect(self.address).await?;
            if direct.is_none() {
                stream.write_all(&SSL_REQUEST).await?;
                assert_eq!(stream.read_u8().await?, b'S');
            }
            let name = ServerName::try_from(host.to_owned()).expect("a name");
            TlsConnector::from(Arc::new(config)).connect(name, stream).await
        };
        timeout(LIMIT, shaking).await.expect("the handshake ends")
    }

    /// A session with these settings at this host.
    ///
    /// # Errors
    /// What Postgres or the gateway says.
    ///
    /// # Panics
    /// When the handshake fails or nothing happens for long.
    pub async fn connect_as(&self, config: &Config, host: &str) -> Result<Client, tokio_postgres::Error> {
        let stream = self.tls(host, true, None).await.expect("the host is covered by the certificate");
        let (client, connection) = timeout(LIMIT, config.connect_raw(stream, NoTls)).await.expect("an answer comes")?;
        // What goes wrong surfaces in the client's calls.
        drop(tokio::spawn(connection));
        Ok(client)
    }

    /// A session of the developers' role.
    ///
    /// # Errors
    /// What Postgres or the gateway says.
    pub async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        self.connect_as(&self.config(), &self.host).await
    }

    /// `psql` with this connection string; runs a command and prints bare rows.
    ///
    /// # Panics
    /// When it is not installed.
    #[must_use]
    pub fn psql(&self, connection: &str, sql: &str) -> Command {
        let mut command = Command::new(program("psql").expect("psql is installed"));
        command
            .env_clear()
            .args([
                "--no-psqlrc",
                "--no-password",
                "--tuples-only",
                "--no-align",
                "--dbname",
                connection,
                "--command",
                sql,
            ])
            .stdin(Stdio::null());
        command
    }
}

/// SQLSTATE and text of an error.
///
/// # Panics
/// When it is none of Postgres'.
#[must_use]
pub fn refusal(error: &tokio_postgres::Error) -> (String, String) {
    let database = error.as_db_error().unwrap_or_else(|| panic!("no answer of Postgres: {error:?}"));
    (database.code().code().to_owned(), database.message().to_owned())
}
