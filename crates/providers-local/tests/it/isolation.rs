//! What root operators get: users of their own for projects, limits, and a pool that grows.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, process::Command};

use model::instances::InstanceType;
use providers::{Database as _, suite};
use providers_local::{PoolChoice, operator_is_root};

use crate::harness::{Home, noted_pid};

fn uid_of(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").uid()
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_cannot_read_each_other_nor_the_operators_files() {
    if !operator_is_root() {
        return;
    }
    let home = Home::new(PoolChoice::Auto).await;
    let ((one, _), (other, _)) = (home.create().await, home.create().await);
    let folder = |id| home.node.socket_folder(id).parent().expect("it has one").to_owned();
    let (uid, other_uid) = (uid_of(&folder(one).join("pgdata")), uid_of(&folder(other).join("pgdata")));
    assert!(uid != other_uid && uid >= 200_000);
    for name in ["postgres", "data-plane"] {
        assert_eq!(uid_of(Path::new(&format!("/proc/{}", noted_pid(&home, one, name).expect("runs")))), uid, "{name}");
    }
    let reads = |path: &Path| {
        let user = [format!("--reuid={uid}"), format!("--regid={uid}"), "--clear-groups".to_owned()];
        Command::new("setpriv").args(user).arg("cat").arg(path).output().expect("setpriv runs").status.success()
    };
    assert!(reads(&folder(one).join("pgdata/PG_VERSION")));
    for closed in ["pgdata/PG_VERSION", "project.json", "environment.sealed", "state/started", "logs/postgres.log"] {
        assert!(folder(other).join(closed).exists(), "{closed}");
        assert!(!reads(&folder(other).join(closed)), "{closed}");
    }
    assert!(!reads(&folder(one).join("project.json")) && !reads(&folder(one).join("environment.sealed")));
    let sealed = fs::read(folder(one).join("environment.sealed")).expect("readable");
    assert!(!String::from_utf8_lossy(&sealed).contains("token-"), "secrets are sealed");
    home.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_and_processor_are_limited_by_size() {
    let groups = Path::new("/sys/fs/cgroup/memory");
    if !operator_is_root() || !groups.join("cgroup.procs").exists() {
        return;
    }
    let home = Home::new(PoolChoice::Auto).await;
    let (id, _) = home.create().await;
    let pid = noted_pid(&home, id, "data-plane").expect("runs");
    let group = |controller: &str| {
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("readable");
        let line = text.lines().find(|line| line.contains(&format!(":{controller}:"))).expect("it has one").to_owned();
        Path::new("/sys/fs/cgroup").join(controller).join(line.rsplit_once(":/").expect("a path").1)
    };
    let read = |path: std::path::PathBuf| fs::read_to_string(path).expect("readable").trim().to_owned();
    assert_eq!(read(group("memory").join("memory.limit_in_bytes")), (512 * 1024 * 1024).to_string());
    assert_eq!(read(group("cpu").join("cpu.cfs_quota_us")), "50000");
    let members = read(group("memory").join("cgroup.procs"));
    assert!(members.lines().any(|member| Some(member.parse().expect("a pid")) == noted_pid(&home, id, "postgres")));

    let mut larger = suite::new_database(id);
    larger.size = InstanceType::Small.size();
    home.node.stop_database(id).await.expect("stops");
    home.node.ensure_database(&larger).await.expect("starts");
    let buffers: String = home.sql(id).await.query_one("show shared_buffers", &[]).await.expect("answers").get(0);
    assert_eq!(buffers, "512MB");
    home.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filling_pool_grows_and_a_full_one_refuses() {
    if !operator_is_root() || !Path::new("/usr/sbin/mkfs.xfs").exists() {
        return;
    }
    let home = Home::with_pool_of(1024 * 1024 * 1024).await;
    let (kept, _) = home.create().await;
    let image = || fs::metadata(home.node.pool_image().expect("it has a pool")).expect("there").len();
    let before = image();
    let ballast = home.data().join("ballast");
    let space = rustix::fs::statvfs(home.data()).expect("it is mounted");
    let file = fs::File::create(&ballast).expect("it is writable");
    let bytes = space.f_bavail * space.f_frsize - 100 * 1024 * 1024;
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes).expect("there is room");
    drop(file);
    let refused = home.node.ensure_database(&suite::new_database(ids::ProjectId::generate())).await;
    assert!(matches!(refused, Err(providers::Error::Full(_))), "{refused:?}");
    let shutdown = tokio_util::sync::CancellationToken::new();
    let supervisor = {
        let (node, shutdown) = (home.node.clone(), shutdown.clone());
        tokio::spawn(async move { node.supervise(shutdown).await })
    };
    crate::harness::until("the pool grows", || async { image() > before }).await;
    shutdown.cancel();
    supervisor.await.expect("it ends");
    fs::remove_file(&ballast).expect("it is there");
    suite::Subject::put_mark(&home, kept, "the project went on").await;
    home.create().await;
    home.end().await;
}
