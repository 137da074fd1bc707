//! The suite every provider passes: with a pool, without, and as an ordinary user.

use std::{path::Path, process::Command};

use providers::suite;
use providers_local::{PoolChoice, operator_is_root};

use crate::harness::Home;

#[tokio::test(flavor = "multi_thread")]
async fn with_a_pool() {
    if !operator_is_root() || !Path::new("/usr/sbin/mkfs.xfs").exists() {
        eprintln!("skipped: only root with xfsprogs makes a pool");
        return;
    }
    let home = Home::new(PoolChoice::Required).await;
    assert!(home.node.reflink());
    suite::all(&home).await;
    home.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_pool() {
    let home = Home::new(PoolChoice::Never).await;
    assert!(home.node.pool_image().is_none());
    suite::all(&home).await;
    home.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by as_an_ordinary_user"]
async fn ordinary_user() {
    assert!(!operator_is_root());
    let home = Home::new(PoolChoice::Auto).await;
    assert!(home.node.pool_image().is_none());
    suite::all(&home).await;
    home.end().await;
}

#[test]
fn as_an_ordinary_user() {
    if !operator_is_root() {
        return;
    }
    // The program may lie where that user cannot reach it.
    let folder = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir()
        .expect("a folder");
    let debug = folder.path().join("debug");
    for (name, source) in [
        ("deps/it", std::env::current_exe().expect("a path")),
        ("examples/stand_in_data_plane", crate::harness::stand_in()),
    ] {
        std::fs::create_dir_all(debug.join(name).parent().expect("it has one")).expect("makes folders");
        std::fs::copy(source, debug.join(name)).expect("copies");
    }
    let user = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let test = ["conformance::ordinary_user", "--exact", "--ignored", "--nocapture"];
    let status = Command::new("setpriv")
        .args(user)
        .arg(debug.join("deps/it"))
        .args(test)
        .env("HOME", "/nonexistent")
        .current_dir("/")
        .status();
    assert!(status.expect("setpriv runs").success());
}
