//! One JSON file per route, replaced atomically.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use data_plane_contract::routes::Route;
use ids::ProjectId;

/// All routes in `folder` with their files, in name order. Unreadable ones are set aside, unfinished ones deleted.
pub(super) fn load(folder: &Path) -> io::Result<Vec<(PathBuf, Route)>> {
    fs::create_dir_all(folder)?;
    let mut paths =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    let mut routes = Vec::new();
    for path in paths {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("new") => fs::remove_file(&path)?,
            Some("json") => match read(&path) {
                Ok(route) => routes.push((path, route)),
                Err(error) => set_aside(&path, &error),
            },
            _ => {}
        }
    }
    Ok(routes)
}

/// Renames a file that cannot be used, so that its project is missed and the others are not.
pub(super) fn set_aside(path: &Path, reason: &(dyn std::error::Error + 'static)) {
    let aside = path.with_extension("json.corrupt");
    let renamed = fs::rename(path, &aside).is_ok();
    tracing::error!(
        path = %path.display(), set_aside = renamed, error = %telemetry::chain(reason),
        "a route file cannot be used; push the project's route again"
    );
}

/// Writes a route durably.
pub(super) async fn write(folder: PathBuf, route: Route) -> io::Result<()> {
    blocking(move || {
        let path = path_of(&folder, route.project_id);
        let unfinished = path.with_extension("new");
        let mut file = File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec_pretty(&route)?)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        File::open(&folder)?.sync_all()
    })
    .await
}

/// Deletes a route's file; nothing there is fine.
pub(super) async fn remove(folder: PathBuf, project_id: ProjectId) -> io::Result<()> {
    blocking(move || match fs::remove_file(path_of(&folder, project_id)) {
        Ok(()) => File::open(&folder)?.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    })
    .await
}

fn read(path: &Path) -> io::Result<Route> {
    let route: Route = serde_json::from_slice(&fs::read(path)?)?;
    if path.file_stem().and_then(|stem| stem.to_str()) != Some(route.project_id.to_string().as_str()) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is named after another project"));
    }
    Ok(route)
}

fn path_of(folder: &Path, project_id: ProjectId) -> PathBuf {
    folder.join(format!("{project_id}.json"))
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
