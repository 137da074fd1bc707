//! The gateway against nginx, both in front of the same tiny upstream.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use serde_json::json;
use test_ports::free_address;
use tests::{Cloud, api::http_client};

use crate::{
    Settings,
    report::Report,
    tools::{Beside, requests_per_second},
};

const HOST: &str = "benchmrk.us-east.localhost";

pub(crate) async fn measure(settings: &Settings, report: &mut Report) {
    let cloud = Cloud::start().await;
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let (upstream, proxy) = (free_address(), free_address());
    fs::write(folder.path().join("nginx.conf"), configuration(folder.path(), upstream, proxy))
        .expect("the folder is ours");
    let mut nginx = Command::new("nginx");
    nginx.arg("-c").arg(folder.path().join("nginx.conf")).arg("-p").arg(folder.path());
    let nginx = Beside::start(nginx);
    tests::wait::until("nginx listens", std::time::Duration::from_secs(5), || async {
        tokio::net::TcpStream::connect(proxy).await.ok()
    })
    .await;
    // A real project, because routes that lead to none are withdrawn after a while.
    let project = cloud.api().new_project(cloud.organization(), "Proxied").await;
    publish(&cloud, &project.id, upstream).await;

    let host = [format!("Host: {HOST}")];
    let gateway = format!("http://{}/", cloud.ports().gateway_http);
    // Once each to warm up, then in turn, so that neither has the quieter machine.
    let (mut ours, mut theirs) = (0.0_f64, 0.0_f64);
    requests_per_second(&gateway, &host, None, 1);
    let seconds = (settings.seconds / 3).max(1);
    for _ in 0..6 {
        theirs = theirs.max(requests_per_second(&format!("http://{proxy}/"), &host, None, seconds));
        ours = ours.max(requests_per_second(&gateway, &host, None, seconds));
    }
    let share = ours / theirs * 100.0;
    report.add(
        "gateway proxy, small response, of nginx",
        format!("{share:.0} % ({ours:.0} of {theirs:.0} requests/s)"),
        "≥ 80 %",
        Some(share >= 80.0),
    );
    drop(nginx);
    cloud.finish().await;
}

/// A route like a project's, to the upstream.
async fn publish(cloud: &Cloud, project: &str, upstream: SocketAddr) {
    let token = fs::read_to_string(cloud.home().join("internal.token")).expect("a cloud has a token");
    let route = json!({ "project_id": project, "hosts": [HOST], "upstream": upstream, "state": "serving", "sleep_after_seconds": null });
    let url = format!("http://{}/routes/{project}", cloud.ports().gateway_admin);
    let response = http_client(None)
        .put(url)
        .bearer_auth(token.trim())
        .json(&route)
        .send()
        .await
        .expect("the gateway takes routes");
    assert!(response.status().is_success(), "{}", response.status());
}

fn configuration(folder: &Path, upstream: SocketAddr, proxy: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "daemon off; worker_processes 2; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  upstream small {{ server {upstream}; keepalive 64; keepalive_requests 100000000; }}
  server {{ listen {upstream}; location / {{ return 200 'ok'; }} }}
  server {{ listen {proxy}; location / {{ proxy_pass http://small; proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host $host; }} }}
}}
"
    )
}
