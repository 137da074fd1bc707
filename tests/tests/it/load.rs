//! Many projects, eight at a time: none fails, none shares a port, none leaves anything. `HEARTH_TEST_PROJECTS` sets how many.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use serde_json::json;
use tests::{Cloud, DataPlane, api::OPERATION_LIMIT, wait};

#[tokio::test]
async fn two_hundred_projects_come_and_go_eight_at_a_time() {
    let count: usize = std::env::var("HEARTH_TEST_PROJECTS").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    let cloud = Cloud::start().await;
    let api = cloud.api();
    let organization = cloud.organization();
    let addresses: Vec<String> = stream::iter(0..count)
        .map(|number| {
            let (api, cloud) = (api.clone(), &cloud);
            async move {
                let project = api.new_project(organization, &format!("Load {number}")).await;
                let data_plane = DataPlane::through_gateway(cloud, &project.appkey, &project.region);
                assert!(data_plane.healthy().await, "project {number} is active but does not answer");
                let _ = api.delete(&format!("/projects/v1/{}", project.id)).await.ok();
                api.wait_gone(&project.id).await;
                project.direct_url.expect("a local project has its own address")
            }
        })
        .buffer_unordered(8)
        .collect()
        .await;
    assert_eq!(addresses.len(), count);
    assert!(api.projects(organization).await.is_empty());
    wait::until("no project folder is left", OPERATION_LIMIT, || async {
        cloud.project_folders().is_empty().then_some(())
    })
    .await;
    cloud.finish().await;
}

#[tokio::test]
async fn projects_that_live_side_by_side_have_addresses_of_their_own() {
    let cloud = Cloud::start().await;
    let api = cloud.api();
    let count = 12;
    let projects = stream::iter(0..count)
        .map(|number| {
            let (api, organization) = (api.clone(), cloud.organization());
            async move { api.new_project(organization, &format!("Side {number}")).await }
        })
        .buffer_unordered(8)
        .collect::<Vec<_>>()
        .await;
    let distinct: BTreeSet<_> = projects.iter().map(|project| project.direct_url.clone()).collect();
    assert_eq!(distinct.len(), count);
    for (number, project) in projects.iter().enumerate() {
        let admin = DataPlane::of(&cloud, &project.id).await;
        admin.sql(&format!("create table mine as select {number} as number")).await;
    }
    for (number, project) in projects.iter().enumerate() {
        let admin = DataPlane::of(&cloud, &project.id).await;
        assert_eq!(
            admin.sql_value("select number from mine").await,
            json!(number),
            "each host leads to its own database"
        );
    }
    cloud.finish().await;
}
