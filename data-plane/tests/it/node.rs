//! Runs the scripts of `tests/js`, which use the real JavaScript clients.

use std::{path::PathBuf, process::Stdio};

use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, process::Command};

/// Runs a script with its input as JSON on standard input; its standard output is its result as JSON.
pub(crate) async fn run(script: &str, input: &Value) -> Value {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/js");
    assert!(folder.join("node_modules").is_dir(), "the JavaScript clients are not installed: run .ci/install test");
    let mut child = Command::new("node")
        .current_dir(folder)
        .arg(script)
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
