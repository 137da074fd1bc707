//! The file with the operator's clients at sign-in providers.

use std::{fs, path::Path};

use control_plane::SharedClients;
use secrecy::ExposeSecret as _;

use crate::{failure::Failure, settings::UpSettings};

/// What the file of the settings holds; nothing without one.
pub(super) fn read(settings: &UpSettings) -> Result<SharedClients, Failure> {
    let Some(path) = &settings.shared_clients_file else { return Ok(SharedClients::new()) };
    let text = fs::read_to_string(path).map_err(|cause| Failure::io("read the shared clients in", path, cause))?;
    parse(path, &text)
}

/// Providers, comma-separated, in an order that does not depend on the file's.
pub(super) fn names(clients: &SharedClients) -> String {
    clients.keys().map(|provider| provider.as_str()).collect::<Vec<_>>().join(",")
}

fn parse(path: &Path, text: &str) -> Result<SharedClients, Failure> {
    let clients: SharedClients = toml::from_str(text).map_err(|error| {
        // The library's own words quote the line, which may hold a secret.
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        Failure::new(format!(
            "{}, line {}: this is not the table of a known provider with client_id, client_secret and, if need be, scopes and endpoints.",
            path.display(),
            before.matches('\n').count() + 1
        ))
    })?;
    let incomplete = clients
        .iter()
        .find(|(_, client)| client.client_id.is_empty() || client.client_secret.expose_secret().is_empty());
    match incomplete {
        Some((provider, _)) => Err(Failure::new(format!(
            "{}: client_id and client_secret of {} must not be empty.",
            path.display(),
            provider.as_str()
        ))),
        None => Ok(clients),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, String> {
        parse(Path::new("clients.toml"), text).map(|clients| names(&clients)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn clients_are_read_and_faults_quote_no_secret() {
        let github = "[github]\nclient_id = 'i'\nclient_secret = 'hidden'\n";
        let google = "[google]\nclient_id = 'i'\nclient_secret = 'hidden'\nscopes = ['openid']\n[google.endpoints]\ntoken = 'https://a'\n";
        assert_eq!(parsed(&format!("{github}{google}")), parsed(&format!("{google}{github}")));
        assert_eq!(parsed(google).as_deref(), Ok("google"));
        for (text, line) in [
            ("[google]\nclient_id = 'i'\nclient_secret = hidden\n", "line 3"),
            ("[google]\nclient_id = 'i'\nsecret = 'hidden'\n", "line "),
            ("[google]\nclient_id = 'i'\nclient_secret = ['hidden']\n", "line "),
            ("[myspace]\nclient_id = 'i'\nclient_secret = 'hidden'\n", "line "),
            ("[google]\nclient_id = ''\nclient_secret = 'hidden'\n", "must not be empty"),
        ] {
            let failure = parsed(text).expect_err("it is faulty");
            assert!(failure.contains(line) && !failure.contains("hidden"), "{failure}");
        }
    }
}
