//! Rate limits: hits per client in fixed windows that begin with the client's first hit, in this process's memory.
//!
//! A [`Limiter`] is what routes use; it adds the `RateLimit-*` headers. [`Failures`] slows down guessing, [`Cooldown`] spaces single events.

use std::{
    collections::HashMap,
    future::Future,
    net::{IpAddr, Ipv6Addr},
    sync::Mutex,
};

use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Duration, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{ClientAddress, Error, Result};
use crate::state::App;

/// Clients remembered by one window; beyond it the one whose window ends first is forgotten.
const KEYS_MAX: usize = 10_000;

/// Clients choose their keys; what is longer is cut off.
const KEY_BYTES_MAX: usize = 320;

const QUARTER_HOUR: Duration = Duration::minutes(15);

/// All limits of the process.
pub struct Limits {
    /// Sending verification, reset and sign-in mails.
    pub code_mails: Limiter,
    /// One such mail per address.
    pub code_mail_cooldown: Cooldown,
    /// Presenting codes and reset tokens.
    pub code_checks: Limiter,
    /// Signing in with an identity token.
    pub id_tokens: Limiter,
    /// Dry runs of migrations.
    pub migration_dry_runs: Limiter,
    /// Creating, changing and deleting functions.
    pub function_writes: Limiter,
    /// One mail per recipient.
    pub mail_interval: Cooldown,
    /// Wrong passwords.
    pub sign_in_failures: Failures,
}

impl Default for Limits {
    fn default() -> Self {
        let per_address =
            |max, message| Limiter { window: Window::new(max, QUARTER_HOUR), skip_successful: false, message };
        Self {
            code_mails: per_address(
                5,
                "Too many send email verification requests from this IP. Please try again in 15 minutes.",
            ),
            code_mail_cooldown: Cooldown::default(),
            code_checks: Limiter {
                skip_successful: true,
                ..per_address(10, "Too many verification attempts from this IP. Please try again in 15 minutes.")
            },
            id_tokens: per_address(
                30,
                "Too many ID token sign-in attempts from this IP. Please try again in 15 minutes.",
            ),
            migration_dry_runs: per_address(30, "Too many migration dry-run requests. Please try again later."),
            function_writes: Limiter {
                window: Window::new(15, Duration::minutes(5)),
                skip_successful: false,
                message: "Too many function writes from this IP. Please try again in 5 minutes.",
            },
            mail_interval: Cooldown::default(),
            sign_in_failures: Failures::default(),
        }
    }
}

/// A limit per client address.
pub struct Limiter {
    window: Window,
    skip_successful: bool,
    message: &'static str,
}

impl Limiter {
    /// Answers with `work`, or with 429 when the client has used up its window. Adds the headers to either answer.
    pub async fn around(
        &self,
        app: &App,
        client: ClientAddress,
        work: impl Future<Output = Result<Response>>,
    ) -> Response {
        let (now, key) = (app.clock.now(), client_key(client));
        let hit = self.window.hit(&key, now);
        let mut response = match hit.hits > self.window.max {
            true => too_many(self.message, hit.seconds_left(now)).into_response(),
            false => work.await.into_response(),
        };
        if self.skip_successful && !(response.status().is_client_error() || response.status().is_server_error()) {
            self.window.forgive(&key);
        }
        self.describe(response.headers_mut(), hit, now);
        response
    }

    fn describe(&self, headers: &mut HeaderMap, hit: Hit, now: DateTime<Utc>) {
        let max = self.window.max;
        let mut add = |name: &'static str, value: String| {
            let value = HeaderValue::try_from(value).expect("digits and punctuation");
            headers.insert(HeaderName::from_static(name), value);
        };
        add("ratelimit-policy", format!("{max};w={}", self.window.length.num_seconds()));
        add("ratelimit-limit", max.to_string());
        add("ratelimit-remaining", max.saturating_sub(hit.hits).to_string());
        add("ratelimit-reset", hit.seconds_left(now).to_string());
    }
}

/// Failures per account and client, per account, and per client. Far above what people need and far below what guessing needs.
pub struct Failures {
    pair: Window,
    account: Window,
    client: Window,
}

impl Default for Failures {
    fn default() -> Self {
        let window = |max| Window::new(max, QUARTER_HOUR);
        Self { pair: window(30), account: window(300), client: window(300) }
    }
}

impl Failures {
    /// Counts an attempt as failed until [`Failures::succeeded`] takes it back, so that parallel attempts gain nothing.
    ///
    /// # Errors
    /// 429 when there were too many.
    pub fn attempt(&self, account: &str, client: ClientAddress, now: DateTime<Utc>) -> Result<()> {
        let client = client_key(client);
        let pair = format!("{client} {account}");
        let hits = [
            (&self.pair, self.pair.hit(&pair, now)),
            (&self.account, self.account.hit(account, now)),
            (&self.client, self.client.hit(&client, now)),
        ];
        match hits.iter().find(|(window, hit)| hit.hits > window.max) {
            Some((_, hit)) => {
                Err(too_many("Too many failed sign-in attempts. Please try again later.", hit.seconds_left(now)))
            }
            None => Ok(()),
        }
    }

    /// The attempt was none to guess.
    pub fn succeeded(&self, account: &str, client: ClientAddress) {
        let client = client_key(client);
        self.pair.forgive(&format!("{client} {account}"));
        self.account.forgive(account);
        self.client.forgive(&client);
    }
}

/// One event per key and interval.
#[derive(Default)]
pub struct Cooldown(Mutex<HashMap<String, DateTime<Utc>>>);

impl Cooldown {
    /// Begins an interval for `key`.
    ///
    /// # Errors
    /// Whole seconds left of the running one.
    pub fn begin(&self, key: &str, now: DateTime<Utc>, interval: Duration) -> Result<(), i64> {
        let key = bounded(key);
        let mut ends = self.0.lock().expect("no holder of this lock panics");
        if let Some(end) = ends.get(key).filter(|end| **end > now) {
            return Err(seconds_up(*end - now));
        }
        make_room(&mut ends, now, |end| *end);
        ends.insert(key.to_owned(), now + interval);
        Ok(())
    }

    /// Ends the interval early, because the event did not take place.
    pub fn cancel(&self, key: &str) {
        self.0.lock().expect("no holder of this lock panics").remove(bounded(key));
    }
}

struct Window {
    max: u32,
    length: Duration,
    keys: Mutex<HashMap<String, Hit>>,
}

#[derive(Clone, Copy)]
struct Hit {
    hits: u32,
    resets_at: DateTime<Utc>,
}

impl Hit {
    fn seconds_left(self, now: DateTime<Utc>) -> i64 {
        seconds_up(self.resets_at - now)
    }
}

impl Window {
    fn new(max: u32, length: Duration) -> Self {
        Self { max, length, keys: Mutex::default() }
    }

    fn hit(&self, key: &str, now: DateTime<Utc>) -> Hit {
        let key = bounded(key);
        let mut keys = self.keys.lock().expect("no holder of this lock panics");
        if let Some(hit) = keys.get_mut(key).filter(|hit| hit.resets_at > now) {
            hit.hits = hit.hits.saturating_add(1);
            return *hit;
        }
        make_room(&mut keys, now, |hit| hit.resets_at);
        let first = Hit { hits: 1, resets_at: now + self.length };
        keys.insert(key.to_owned(), first);
        first
    }

    fn forgive(&self, key: &str) {
        if let Some(hit) = self.keys.lock().expect("no holder of this lock panics").get_mut(bounded(key)) {
            hit.hits = hit.hits.saturating_sub(1);
        }
    }
}

fn make_room<T>(keys: &mut HashMap<String, T>, now: DateTime<Utc>, end: impl Fn(&T) -> DateTime<Utc>) {
    if keys.len() < KEYS_MAX {
        return;
    }
    keys.retain(|_, value| end(value) > now);
    if keys.len() >= KEYS_MAX
        && let Some(first) = keys.iter().min_by_key(|(_, value)| end(value)).map(|(key, _)| key.clone())
    {
        keys.remove(&first);
    }
}

/// 429 with the time to wait.
pub fn too_many(message: impl Into<String>, seconds: i64) -> Error {
    Error::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS", message).with_retry_after(seconds)
}

/// A client is its address; in IPv6 everybody has a whole /64.
fn client_key(ClientAddress(address): ClientAddress) -> String {
    match address {
        Some(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_none() => {
            Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).to_string()
        }
        Some(address) => address.to_canonical().to_string(),
        None => "unknown".to_owned(),
    }
}

fn bounded(key: &str) -> &str {
    &key[..key.floor_char_boundary(KEY_BYTES_MAX)]
}

fn seconds_up(duration: Duration) -> i64 {
    (duration.num_milliseconds() + 999).div_euclid(1000).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> ClientAddress {
        ClientAddress(Some(text.parse().expect("an address")))
    }

    #[test]
    fn a_window_begins_with_the_first_hit_and_ends() {
        let window = Window::new(2, Duration::seconds(10));
        let start = Utc::now();
        let hits = |at| window.hit("a", at).hits;
        assert_eq!([hits(start), hits(start), hits(start + Duration::seconds(9))], [1, 2, 3]);
        window.forgive("a");
        assert_eq!(hits(start + Duration::seconds(9)), 3);
        assert_eq!(window.hit("b", start).hits, 1);
        assert_eq!(hits(start + Duration::seconds(10)), 1);
    }

    #[test]
    fn guessing_is_stopped_per_account_and_client_and_success_counts_for_nothing() {
        let failures = Failures::default();
        let now = Utc::now();
        for _ in 0..1000 {
            failures.attempt("ada", client("192.0.2.1"), now).expect("successes");
            failures.succeeded("ada", client("192.0.2.1"));
        }
        let tries = (0..100).filter(|_| failures.attempt("ada", client("192.0.2.1"), now).is_ok()).count();
        assert_eq!(tries, 30);
        assert!(failures.attempt("ada", client("192.0.2.2"), now).is_ok());
        let spread = (0..1000_u32)
            .filter(|n| failures.attempt("ada", client(&format!("198.51.{}.{}", n / 250, n % 250)), now).is_ok())
            .count();
        assert!(spread < 300, "{spread}");
        let error = failures.attempt("ada", client("203.0.113.9"), now).expect_err("refused");
        assert_eq!((error.status().as_u16(), error.code()), (429, "TOO_MANY_REQUESTS"));
        assert!(failures.attempt("bob", client("203.0.113.9"), now).is_ok());
    }

    #[test]
    fn a_cooldown_says_how_long_and_can_be_cancelled() {
        let cooldown = Cooldown::default();
        let now = Utc::now();
        let minute = Duration::seconds(60);
        assert_eq!(cooldown.begin("a", now, minute), Ok(()));
        assert_eq!(cooldown.begin("a", now + Duration::milliseconds(500), minute), Err(60));
        assert_eq!(cooldown.begin("a", now + Duration::seconds(59), minute), Err(1));
        cooldown.cancel("a");
        assert_eq!(cooldown.begin("a", now, minute), Ok(()));
        assert_eq!(cooldown.begin("a", now + minute, minute), Ok(()));
    }

    #[test]
    fn memory_is_bounded_and_clients_share_a_network() {
        let window = Window::new(1, QUARTER_HOUR);
        let now = Utc::now();
        for n in 0..KEYS_MAX + 50 {
            window.hit(&n.to_string(), now + Duration::milliseconds(n as i64));
        }
        assert_eq!(window.keys.lock().expect("no panic").len(), KEYS_MAX);
        assert_eq!(client_key(client("2001:db8::1")), client_key(client("2001:db8::ffff:1")));
        assert_eq!(client_key(client("::ffff:192.0.2.1")), client_key(client("192.0.2.1")));
    }
}
