//! Calls to addresses that a tenant chose. Every such call of every deployable goes through here.
//!
//! Checked are the URL, every answer of the name server (the answer that is checked is the one that is connected to, so a name that changes
//! its mind gains nothing), every redirect, and once more the address that the socket is connected to. Proxies of the environment are not used.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use ipnet::IpNet;
use url::{Host, Url};

mod addresses;
mod error;
mod lookup;

pub use error::Error;
pub use lookup::{Lookup, SystemLookup};

use addresses::Addresses;
use lookup::CheckedLookup;

/// Redirects that are followed where following is asked for.
const REDIRECTS_MAX: usize = 5;

/// An idle connection is kept this long for the next call to the same host.
const IDLE_CONNECTION: Duration = Duration::from_secs(15);

/// What the operator says about outgoing calls.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Networks that may be called although they are private. Empty is the safe default.
    pub allowed: Vec<IpNet>,
    /// Certificates trusted besides the public ones, PEM.
    pub extra_roots_pem: Option<Vec<u8>>,
}

/// Limits of one call.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For everything from the lookup to the last byte.
    pub timeout: Duration,
    /// Size of the answer.
    pub body_bytes_max: usize,
    /// Whether redirects are followed; each is checked like the first address.
    pub follow_redirects: bool,
}

/// Makes the calls. Cheap until the first one.
pub struct Outbound {
    checked: CheckedLookup,
    roots: Vec<reqwest::Certificate>,
    extra_roots_pem: Option<Vec<u8>>,
    following: OnceLock<reqwest::Client>,
    staying: OnceLock<reqwest::Client>,
}

/// The additional certificates are no PEM certificates.
#[derive(Debug, thiserror::Error)]
#[error("read the additional root certificates")]
pub struct BadRoots(#[source] reqwest::Error);

impl Outbound {
    /// Calls under these settings, with the system's resolver.
    ///
    /// # Errors
    /// The additional certificates cannot be read.
    pub fn new(settings: Settings) -> Result<Self, BadRoots> {
        Self::with_lookup(settings, Arc::new(SystemLookup))
    }

    /// The same with another resolver.
    ///
    /// # Errors
    /// The additional certificates cannot be read.
    pub fn with_lookup(settings: Settings, lookup: Arc<dyn Lookup>) -> Result<Self, BadRoots> {
        let Settings { allowed, extra_roots_pem } = settings;
        let roots = match &extra_roots_pem {
            Some(pem) => reqwest::Certificate::from_pem_bundle(pem).map_err(BadRoots)?,
            None => Vec::new(),
        };
        let checked = CheckedLookup { lookup, addresses: Arc::new(Addresses { allowed }) };
        Ok(Self { checked, roots, extra_roots_pem, following: OnceLock::new(), staying: OnceLock::new() })
    }

    /// Certificates trusted besides the public ones, for protocols other than HTTP.
    #[must_use]
    pub fn extra_roots_pem(&self) -> Option<&[u8]> {
        self.extra_roots_pem.as_deref()
    }

    /// Whether the operator allows this address although it may be private.
    #[must_use]
    pub fn operator_allows(&self, address: IpAddr) -> bool {
        self.checked.addresses.operator_allows(address)
    }

    /// Whether a tenant may name this URL to be called later: what is wrong with it now is better said now. A name that leads nowhere yet is fine.
    /// Plain HTTP is for networks that the operator allows.
    ///
    /// # Errors
    /// It cannot or must not be called.
    pub async fn check(&self, text: &str) -> Result<(), Error> {
        let url = Url::parse(text).map_err(|_| Error::Unusable("is no URL"))?;
        check_url(&self.checked.addresses, &url)?;
        let host = url.host_str().ok_or(Error::Unusable("names no host"))?;
        let found = match self.resolve(host, 0).await {
            Ok(found) => found,
            Err(Error::Resolve(_)) => Vec::new(),
            Err(error) => return Err(error),
        };
        let near = !found.is_empty() && found.iter().all(|address| self.operator_allows(address.ip()));
        if url.scheme() == "https" || near { Ok(()) } else { Err(Error::Unusable("must begin with https://")) }
    }

    /// Sends a request and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        limits: Limits,
    ) -> Result<http::Response<Vec<u8>>, Error> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|_| Error::Unusable("is no URL"))?;
        check_url(&self.checked.addresses, &url)?;
        let client = match limits.follow_redirects {
            true => self.following.get_or_init(|| self.client(REDIRECTS_MAX)),
            false => self.staying.get_or_init(|| self.client(0)),
        };
        let call = async {
            let answer = client.request(parts.method, url).headers(parts.headers).body(body).send().await;
            self.read(answer.map_err(Error::from_client)?, limits.body_bytes_max).await
        };
        tokio::time::timeout(limits.timeout, call).await.unwrap_or(Err(Error::Timeout))
    }

    /// The addresses of a host for a protocol other than HTTP; connect to these and to nothing else.
    ///
    /// # Errors
    /// The host is, or one of its addresses is, not to be called; or it has none.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
        let host = Host::parse(host).map_err(|_| Error::Unusable("is no host name"))?;
        let found = match &host {
            Host::Domain(name) => self.checked.addresses_of(name).await?,
            literal => {
                check_host(&self.checked.addresses, literal)?;
                literal_address(literal).into_iter().collect()
            }
        };
        Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    async fn read(&self, mut answer: reqwest::Response, bytes_max: usize) -> Result<http::Response<Vec<u8>>, Error> {
        let connected = answer.remote_addr().ok_or(Error::Unusable("is connected to nobody knows what"))?;
        if !self.checked.addresses.permits(connected.ip()) {
            return Err(Error::ResolvesToPrivate);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(Error::from_client)? {
            if body.len() + chunk.len() > bytes_max {
                return Err(Error::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = http::Response::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }

    fn client(&self, redirects_max: usize) -> reqwest::Client {
        let addresses = Arc::clone(&self.checked.addresses);
        let redirects = reqwest::redirect::Policy::custom(move |attempt| {
            if redirects_max == 0 {
                return attempt.stop();
            }
            if attempt.previous().len() > redirects_max {
                return attempt.error(Error::TooManyRedirects);
            }
            match check_url(&addresses, attempt.url()) {
                Ok(()) => attempt.follow(),
                Err(error) => attempt.error(error),
            }
        });
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(redirects)
            .referer(false)
            .dns_resolver(Arc::new(self.checked.clone()))
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(IDLE_CONNECTION)
            .user_agent("Hearth");
        for root in &self.roots {
            builder = builder.add_root_certificate(root.clone());
        }
        builder.build().expect("the settings are constant and the certificates were read")
    }
}

/// Refuses a URL that is not plain HTTP or HTTPS to a host, and one whose host is an address that may not be called. Every spelling of an
/// address (decimal, octal, hexadecimal, short) is one to the URL parser.
fn check_url(addresses: &Addresses, url: &Url) -> Result<(), Error> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Error::Unusable("is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::Unusable("must not hold a user name or password"));
    }
    check_host(addresses, &url.host().ok_or(Error::Unusable("names no host"))?)
}

fn check_host<S: AsRef<str>>(addresses: &Addresses, host: &Host<S>) -> Result<(), Error> {
    match literal_address(host) {
        Some(address) if !addresses.permits(address) => Err(Error::Private),
        _ => Ok(()),
    }
}

fn literal_address<S>(host: &Host<S>) -> Option<IpAddr> {
    match host {
        Host::Ipv4(address) => Some(IpAddr::V4(*address)),
        Host::Ipv6(address) => Some(IpAddr::V6(*address)),
        Host::Domain(_) => None,
    }
}

#[cfg(test)]
mod tests;
