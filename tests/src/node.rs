//! Runs the scripts of `tests/js`, which use the real JavaScript SDK.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::binaries::repository;

fn folder() -> PathBuf {
    repository().join("tests/js")
}

/// Runs a script with its input as JSON on standard input; its standard output is its result as JSON. `ca` is the file of the certificate
/// authority that the gateway's certificate comes from: the SDK follows the public URLs of objects.
///
/// # Panics
/// When the script fails.
pub async fn run(script: &str, ca: &Path, input: &Value) -> Value {
    assert!(folder().join("node_modules").is_dir(), "the SDK is not installed: run .ci/install test");
    let mut child = Command::new("node")
        .current_dir(folder())
        .env("NODE_EXTRA_CA_CERTS", ca)
        .args(["--require", "./loopback.cjs", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node is installed");
    let mut stdin = child.stdin.take().expect("standard input is piped");
    stdin.write_all(input.to_string().as_bytes()).await.expect("node reads its input");
    drop(stdin);
    let output = child.wait_with_output().await.expect("node ends");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script} failed:\n{stderr}\n{stdout}");
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{script} gives JSON ({error}): {stdout}"))
}
