//! Name resolution whose every answer is checked before anything connects to it.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::{addresses::Addresses, error::Error};

/// Where names are looked up.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// All addresses of a name.
    ///
    /// # Errors
    /// The name has none, or nobody answers.
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver.
#[derive(Clone, Copy, Debug)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// A resolver that gives all addresses of a name or, when one of them may not be called, none.
#[derive(Clone)]
pub(crate) struct CheckedLookup {
    pub(crate) lookup: Arc<dyn Lookup>,
    pub(crate) addresses: Arc<Addresses>,
}

impl CheckedLookup {
    pub(crate) async fn addresses_of(&self, host: &str) -> Result<Vec<IpAddr>, Error> {
        let found = self.lookup.lookup(host).await.map_err(Error::Resolve)?;
        if found.is_empty() {
            return Err(Error::Resolve(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
        }
        match found.iter().all(|address| self.addresses.permits(*address)) {
            true => Ok(found),
            false => Err(Error::ResolvesToPrivate),
        }
    }
}

impl Resolve for CheckedLookup {
    fn resolve(&self, name: Name) -> Resolving {
        let checked = self.clone();
        Box::pin(async move {
            let found = checked.addresses_of(name.as_str()).await?;
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}
