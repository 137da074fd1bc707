//! The fake passes the suite that every provider passes, and fails as it is told.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use ids::ProjectId;
use providers::{
    Compute, Database, DatabaseReader as _,
    fake::{Fake, Fault},
    suite,
};

struct FakeSubject(Arc<Fake>);

#[async_trait]
impl suite::Subject for FakeSubject {
    fn database(&self) -> Arc<dyn Database> {
        self.0.clone()
    }

    fn compute(&self) -> Arc<dyn Compute> {
        self.0.clone()
    }

    async fn put_mark(&self, project_id: ProjectId, mark: &str) {
        assert!(self.0.put_mark(project_id, mark));
    }

    async fn marks(&self, project_id: ProjectId) -> Vec<String> {
        self.0.marks(project_id).expect("the cluster exists")
    }
}

#[tokio::test]
async fn the_fake_passes_the_suite_and_ends_empty() {
    let fake = Fake::shared();
    suite::all(&FakeSubject(fake.clone())).await;
    assert_eq!(fake.remains(), Vec::<String>::new());
}

#[tokio::test]
async fn faults_come_before_or_after_the_effect() {
    let fake = Fake::shared();
    let spec = suite::new_database(ProjectId::generate());
    fake.fail_nth_change(1, Fault::Before);
    assert!(fake.ensure_database(&spec).await.expect_err("planned").retryable());
    assert!(fake.remains().is_empty());
    fake.fail_nth_change(1, Fault::After);
    assert!(fake.ensure_database(&spec).await.expect_err("planned").retryable());
    assert_eq!(fake.remains().len(), 1);
    fake.fail_nth_call("drop_database", 2, Fault::Refused);
    fake.drop_database(spec.project_id).await.expect("the second one is planned to fail");
    assert!(!fake.drop_database(spec.project_id).await.expect_err("planned").retryable());
    assert_eq!(fake.changes().len(), 4);
    assert_eq!(fake.pending_faults(), 0);
}

#[tokio::test]
async fn a_hanging_call_may_have_happened() {
    let fake = Fake::shared();
    let spec = suite::new_database(ProjectId::generate());
    fake.fail_nth_change(1, Fault::HangBefore);
    fake.fail_nth_change(2, Fault::HangAfter);
    let briefly = Duration::from_millis(20);
    tokio::time::timeout(briefly, fake.ensure_database(&spec)).await.expect_err("hangs");
    assert!(fake.remains().is_empty());
    tokio::time::timeout(briefly, fake.ensure_database(&spec)).await.expect_err("hangs");
    assert!(fake.describe_database(spec.project_id).await.expect("no fault planned").is_some());
}
