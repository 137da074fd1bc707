//! The folder with the operator's own price lists.

use std::{fs, path::Path};

use model::billing::{PriceList, use_price_lists};

use crate::{failure::Failure, settings::UpSettings};

/// Takes the lists of the settings' folder into use; without one the built-in lists stay.
pub(super) fn take_into_use(settings: &UpSettings) -> Result<(), Failure> {
    let Some(folder) = &settings.plans_dir else { return Ok(()) };
    let lists = read(folder)?;
    let plans: Vec<_> = lists.iter().map(|list| list.plan.as_str()).collect();
    tracing::info!(folder = %folder.display(), plans = plans.join(","), "prices are the operator's");
    use_price_lists(lists).map_err(|error| Failure::new(format!("{}: {error}.", folder.display())))
}

/// Every `*.toml` of the folder.
fn read(folder: &Path) -> Result<Vec<PriceList>, Failure> {
    let unreadable = |cause| Failure::io("read the price lists in", folder, cause);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let text = fs::read_to_string(path).map_err(|cause| Failure::io("read", path, cause))?;
        PriceList::read(&text)
            .map_err(|error| Failure::new(format!("{}: {}.", path.display(), telemetry::chain(&error).trim_end())))
    };
    paths.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use model::limits::Plan;

    use super::*;

    const LIST: &str =
        "plan = 'pro'\ncurrency = 'EUR'\n[[editions]]\neffective_from = '2026-01-01'\nmonthly_micros = 1\n";

    #[test]
    fn lists_are_read_and_the_wrong_one_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("anything.toml"), LIST).expect("writes");
        fs::write(folder.path().join("README.md"), "not a list").expect("writes");
        let lists = read(folder.path()).map_err(|failure| failure.to_string()).expect("reads");
        assert_eq!(lists.iter().map(|list| (list.plan, &*list.currency)).collect::<Vec<_>>(), [(Plan::Pro, "EUR")]);
        fs::write(folder.path().join("broken.toml"), LIST.replace("= 1\n", "= -1\n")).expect("writes");
        let refused = read(folder.path()).expect_err("a negative price").to_string();
        assert!(
            refused.contains("broken.toml") && refused.contains("monthly_micros must not be negative"),
            "{refused}"
        );
        assert!(read(&folder.path().join("nowhere")).is_err());
    }
}
