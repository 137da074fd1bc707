//! Programs the numbers are compared with: pgbench, wrk, nginx.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tests::{Cloud, DataPlane, postgres};

/// Socket folder of a project's own Postgres.
pub(crate) fn socket_folder(cloud: &Cloud, project: &str) -> PathBuf {
    cloud.projects_folder().join(project).join("run")
}

/// `pgbench` against a project's database, past the data plane.
pub(crate) fn pgbench(socket: &Path, arguments: &[impl AsRef<std::ffi::OsStr>]) -> Command {
    let mut command =
        Command::new(postgres::program("pgbench").expect("Postgres is installed with its contributed programs"));
    command
        .args(["-h", &socket.to_string_lossy(), "-p", &port(socket), "-U", "hearth_superuser"])
        .args(arguments)
        .arg("insforge");
    command
}

/// The socket's port is in its name: `.s.PGSQL.<port>`.
pub(crate) fn port(socket: &Path) -> String {
    let entries = fs::read_dir(socket).expect("a served project has a socket folder");
    entries
        .flatten()
        .find_map(|entry| entry.file_name().to_str()?.strip_prefix(".s.PGSQL.")?.parse::<u16>().ok())
        .expect("a running Postgres has a socket")
        .to_string()
}

/// Transactions per second of a pgbench run.
pub(crate) fn transactions_per_second(mut command: Command) -> f64 {
    number_after(&run(&mut command), "tps = ")
}

/// What `wrk` saw.
pub(crate) struct Load {
    pub(crate) requests: u64,
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Load {
    /// The usual request and the slow one, for people.
    pub(crate) fn latency(&self) -> String {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        format!("p50 {:.2} ms, p99 {:.2} ms", milliseconds(self.p50), milliseconds(self.p99))
    }
}

/// Requests of 64 clients that keep their connections; every answer must be a success.
pub(crate) fn load(url: &str, headers: &[String], script: Option<&Path>, seconds: u32) -> Load {
    let mut command = Command::new("wrk");
    command.args(["-t2", "-c64", "--latency", "--timeout", "30s", &format!("-d{seconds}s")]);
    for header in headers {
        command.args(["-H", header]);
    }
    if let Some(script) = script {
        command.arg("-s").arg(script);
    }
    let text = run(command.arg(url));
    assert!(!text.contains("Non-2xx") && !text.contains("Socket errors"), "every answer is a success:\n{text}");
    let requests = text.lines().find_map(|line| line.split_once(" requests in ")?.0.trim().parse().ok());
    Load {
        requests: requests.unwrap_or_else(|| panic!("a number of requests in:\n{text}")),
        per_second: number_after(&text, "Requests/sec:"),
        p50: time_after(&text, " 50%"),
        p99: time_after(&text, " 99%"),
    }
}

/// Requests per second of `wrk` with 64 clients.
pub(crate) fn requests_per_second(url: &str, headers: &[String], script: Option<&Path>, seconds: u32) -> f64 {
    load(url, headers, script, seconds).per_second
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}:\n{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// A time as `wrk` writes it: `12.30us`, `1.02ms`, `1.20s`.
fn time_after(text: &str, mark: &str) -> Duration {
    let rest = text.split_once(mark).unwrap_or_else(|| panic!("'{mark}' in:\n{text}")).1;
    let word = rest.split_whitespace().next().unwrap_or_default();
    let (number, seconds) = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((word.strip_suffix(unit)?, seconds)))
        .unwrap_or_else(|| panic!("a time after '{mark}' in:\n{text}"));
    let number: f64 = number.parse().unwrap_or_else(|_| panic!("a time after '{mark}' in:\n{text}"));
    Duration::from_secs_f64(number * seconds)
}

fn number_after(text: &str, mark: &str) -> f64 {
    let rest = text.split_once(mark).unwrap_or_else(|| panic!("'{mark}' in:\n{text}")).1;
    let number = rest.split_whitespace().next().unwrap_or_default();
    number.parse().unwrap_or_else(|_| panic!("a number after '{mark}' in:\n{text}"))
}

/// A program that runs beside a measurement and ends with it.
pub(crate) struct Beside(Child);

impl Beside {
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).expect("a process id fits")
    }

    pub(crate) fn start(mut command: Command) -> Self {
        Self(
            command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap_or_else(|error| panic!("{command:?}: {error}")),
        )
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Asked to end, a program with children of its own ends them too.
        let asked = kill(Pid::from_raw(self.pid()), Signal::SIGTERM);
        let ended = asked.is_ok()
            && (0..500).any(|_| {
                std::thread::sleep(Duration::from_millis(10));
                !matches!(self.0.try_wait(), Ok(None))
            });
        if !ended {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// Time until a data plane answers 200, asked every few milliseconds.
pub(crate) async fn until_served(data_plane: &DataPlane, begun: Instant) -> Duration {
    while !data_plane.healthy().await {
        assert!(begun.elapsed() < Duration::from_secs(120), "{} never answers", data_plane.base());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    begun.elapsed()
}
