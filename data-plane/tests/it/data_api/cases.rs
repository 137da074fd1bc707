//! Every recorded case, asked over HTTP.

use super::{
    case::{Case, files},
    twin::Stage,
};

/// The number of cases below which files must have gone missing.
const AT_LEAST: usize = 600;

#[tokio::test]
async fn every_case_is_answered_as_recorded() {
    let stage = Stage::start().await;
    let cases: Vec<Case> = files().into_iter().flat_map(|(_, cases)| cases).collect();
    assert!(cases.len() >= AT_LEAST, "only {} cases", cases.len());
    let (reads, writes): (Vec<Case>, Vec<Case>) = cases.into_iter().partition(Case::reads);
    let mut wrong = Vec::new();
    for case in reads.iter().chain(&writes) {
        let answer = stage.ask(case).await;
        let differences = case.answer.differences(&answer);
        if !differences.is_empty() {
            wrong.push(format!("{} {:?}\n  {}", case.request, case.body, differences.join("\n  ")));
        }
        if !case.reads() {
            stage.reset().await;
        }
    }
    assert!(wrong.is_empty(), "{} cases differ (recorded / answered):\n{}", wrong.len(), wrong.join("\n"));
}
