//! The control database's cluster.

use providers_local::{
    DEFAULT_UIDS,
    postgres::{ControlDatabase, ControlSettings, find_distributions},
};
use tokio_postgres::{Client, NoTls};

use crate::harness::processes_in;

async fn connect(control: &ControlDatabase) -> Client {
    let mut config = tokio_postgres::Config::new();
    config.host_path(control.socket_folder()).port(control.port()).user(control.user()).dbname(control.database());
    let (client, connection) = config.connect(NoTls).await.expect("it answers");
    tokio::spawn(connection);
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_made_once_adopted_and_kept() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let distribution = find_distributions(&[]).expect("Postgres is installed").remove(0);
    let settings =
        ControlSettings { home: home.path().to_owned(), distribution, max_connections: 100, uids: DEFAULT_UIDS };
    let first = ControlDatabase::start(&settings).await.expect("starts");
    connect(&first).await.batch_execute("create table kept ()").await.expect("a superuser may");
    let adopted = ControlDatabase::start(&settings).await.expect("runs already");
    assert_eq!(adopted.socket_folder(), first.socket_folder());
    drop(first);
    connect(&adopted).await.batch_execute("select from kept").await.expect("it is the same");
    let folder = adopted.socket_folder().parent().expect("it has one").to_owned();
    adopted.stop().await.expect("stops");
    adopted.stop().await.expect("is stopped");
    assert_eq!(processes_in(&folder), Vec::<String>::new());
    let again = ControlDatabase::start(&settings).await.expect("starts again");
    connect(&again).await.batch_execute("select from kept").await.expect("it was kept");
    again.stop().await.expect("stops");
}
