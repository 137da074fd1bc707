//! Opening a node: making the home's folders reachable, and putting in order what an earlier process left half-done; and closing it again.

use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::stream::{self, StreamExt as _};
use ids::ProjectId;
use providers::{Error, Result};

use crate::{
    allocation::Register,
    binary::Binary,
    config::{LocalConfig, home_uids},
    failure::{Doing as _, blocking, chain},
    layout::Layout,
    limits::Limits,
    lock::{Mode, PATIENCE, acquire, acquire_alone, acquire_now},
    mounts::{home_hash, home_number},
    node::Node,
    owner::{folder, private_folder},
    pool::Pool,
    record::Record,
};

const STOPPED_AT_ONCE: usize = 16;

/// Opens everything.
pub(crate) async fn open(config: LocalConfig) -> Result<Arc<Node>> {
    let home = fs::canonicalize(&config.home).doing(|| format!("opening {}", config.home.display()))?;
    if config.distributions.is_empty() {
        return Err(Error::Refused("no Postgres distribution is configured".to_owned()));
    }
    let missing = || Error::Refused(format!("{} is not a folder", home.display()));
    let _mounting = acquire(&home.join("mounts.lock"), Mode::Exclusive, PATIENCE).await?.ok_or_else(missing)?;
    let presence = acquire(&home.join("presence.lock"), Mode::Shared, PATIENCE).await?;
    let (place, choice, bytes) = (home.clone(), config.pool, config.pool_bytes);
    let pool = blocking(move || Pool::open(&place, choice, bytes)).await?;
    let layout = Layout { home: home.clone(), data: pool.data.clone() };
    folder(&layout.projects(), 0o711, None)
        .and_then(|()| private_folder(&layout.awake(), None))
        .and_then(|()| link_projects(&layout))
        .doing(|| format!("making folders in {}", home.display()))?;
    let (source, binaries) = (config.data_plane_binary.clone(), layout.binaries());
    let binary = blocking(move || Binary::install(&source, &binaries)).await?;
    let ports = u32::from(*config.ports.start())..=u32::from(*config.ports.end());
    let node = Node {
        ports: Register::open(layout.ports(), ports, home_number(&home)).doing(|| "opening the register of ports")?,
        uids: Register::open(layout.uids(), home_uids(&config.uids, &home), 0)
            .doing(|| "opening the register of users")?,
        limits: Limits::find(&home_hash(&home)),
        layout,
        pool,
        distributions: config.distributions,
        binary,
        master_key: config.master_key,
        program_path: config.program_path,
        environment: config.environment,
        presence: Mutex::new(presence),
        closing: AtomicBool::new(false),
        developers: crate::developers::Developers::default(),
    };
    let node = Arc::new(node);
    tidy(&node).await?;
    Ok(node)
}

/// `$HEARTH_HOME/projects` leads an operator to where projects really lie.
fn link_projects(layout: &Layout) -> std::io::Result<()> {
    let link = layout.home.join("projects");
    if fs::read_link(&link).is_ok_and(|target| target == layout.projects()) || link.is_dir() && !link.is_symlink() {
        return Ok(());
    }
    crate::failure::remove_file(&link)?;
    std::os::unix::fs::symlink(layout.projects(), link)
}

/// Frees numbers of projects that are gone, completes interrupted swaps, and ends processes that nobody wants. Projects that another
/// process works on are left to it.
async fn tidy(node: &Node) -> Result<()> {
    let ids = node.layout.project_ids().doing(|| "listing projects")?;
    let known: BTreeSet<String> = ids.iter().map(ToString::to_string).collect();
    for register in [&node.ports, &node.uids] {
        for (_, holder) in register.taken().doing(|| "reading numbers in use")? {
            if holder.parse::<ProjectId>().is_ok() && !known.contains(&holder) {
                register.release(&holder).doing(|| "freeing numbers of projects that are gone")?;
            }
        }
    }
    for id in ids {
        if let Err(error) = tidy_project(node, id).await {
            tracing::warn!(project.id = %id, error = chain(&error), "could not put a project in order");
        }
    }
    Ok(())
}

async fn tidy_project(node: &Node, id: ProjectId) -> Result<()> {
    let project = node.layout.project(id);
    let free = acquire_now(&project.lock(), Mode::Exclusive).doing(|| format!("locking project {id}"))?;
    let (Some(_lock), Some(mut record)) = (free, Record::load(&project)?) else { return Ok(()) };
    node.settle_reset(&project, &mut record).await?;
    node.reseal_environment(id, &project)?;
    if !node.wanted(id) {
        node.stop_processes(&project).await?;
    }
    Ok(())
}

/// Stops everything, remembering what was awake, and unmounts; unless another process of this home still serves its projects.
pub(crate) async fn close(node: &Arc<Node>) -> Result<()> {
    node.closing.store(true, Ordering::Release);
    let _mounting = acquire(&node.layout.home.join("mounts.lock"), Mode::Exclusive, PATIENCE).await?;
    drop(node.presence.lock().expect("no holder of this lock panics").take());
    let presence = node.layout.home.join("presence.lock");
    let Some(_alone) = acquire_alone(&presence).await.doing(|| "closing the node")? else {
        tracing::info!("projects keep running: another process serves them");
        return Ok(());
    };
    let ids = node.layout.project_ids().doing(|| "listing projects")?;
    let outcomes: Vec<Result<()>> =
        stream::iter(ids).map(|id| stop_locked(node, id)).buffer_unordered(STOPPED_AT_ONCE).collect().await;
    outcomes.into_iter().collect::<Result<Vec<()>>>()?;
    node.limits.close();
    let closing = node.clone();
    blocking(move || closing.pool.close()).await
}

async fn stop_locked(node: &Node, id: ProjectId) -> Result<()> {
    let project = node.layout.project(id);
    let _lock = acquire(&project.lock(), Mode::Exclusive, PATIENCE).await?;
    node.stop_processes(&project).await?;
    node.limits.remove(id).doing(|| format!("removing the limits of project {id}"))
}
