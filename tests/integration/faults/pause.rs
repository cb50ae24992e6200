//! A server paused between append and commit, while another takes over: what it commits late never counts.

use super::deployment::{Deployment, once, reconcile};
use crate::support::Pair;

const BATCH: std::ops::Range<u32> = 100..400;
const LATER: std::ops::Range<u32> = 1000..1050;

#[tokio::test]
async fn a_paused_server_comes_back_too_late() {
    let Some(deployment) = Deployment::new(Pair::Production).await else { return };
    let server = deployment.start("one", None).await;
    let table = deployment.table(&server).await;
    server.kill().await;

    let mut paused = deployment.start("one", Some("publish.appended=stop")).await;
    let mut publishing = Box::pin(table.publish_once(&paused, "batch", BATCH));
    let taking_over = async {
        paused.stands_still().await;
        // The second server is refused while the first one's lease runs; it is started until it is taken.
        loop {
            let mut second = deployment.spawn("two", None);
            if second.serves().await {
                break second;
            }
            assert!(second.said().contains("another_server_active"), "{}", second.said());
        }
    };
    let second = tokio::select! {
        answer = &mut publishing => panic!("a paused server answered: {answer:?}"),
        second = taking_over => second,
    };
    assert_eq!(table.visible(&second).await, once(&[]), "what the paused server appended doesn't count");
    let receipt = table.publish(&second, "batch", BATCH).await.expect("the same batch through the second");
    assert_eq!(receipt["replayed"], false);

    paused.signal("-CONT");
    (&mut publishing).await.expect_err("the first server's attempt is dead");
    drop(publishing);
    paused.ended().await;
    table.publish(&second, "later", LATER).await.expect("a later batch");
    assert_eq!(table.visible(&second).await, once(&[BATCH, LATER]), "lost, doubled or stuck");
    second.kill().await;
    reconcile(&deployment, "two");
    deployment.done().await;
}
