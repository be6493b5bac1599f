//! What a node tells of itself and of others.

use super::*;
use crate::metrics::Metrics;

#[tokio::test]
async fn what_this_node_has_nothing_of_is_answered_as_by_one_with_nothing() {
    let world = world().await;
    let limits = world.ask("GET", "/node/js_metrics").await;
    assert!(limits.header("x-ms-ccf-transaction-id").is_some());
    assert_eq!((&limits.body["bytecode_used"], &limits.body["bytecode_size"]), (&json!(false), &json!(0)));
    assert_eq!((&limits.body["max_execution_time"], limits.body.as_object().unwrap().len()), (&json!(1000), 6));
    assert_eq!(world.ask("GET", "/node/index/strategies").await.body, json!([]));
    for verb in ["GET", "HEAD"] {
        for path in ["/node/snapshot", "/node/snapshot?since=5", "/node/snapshot/snapshot_1_2.committed"] {
            let told = world.ask(verb, path).await;
            assert_eq!((told.status, told.code()), (404, "ResourceNotFound"), "{verb} {path}");
        }
    }
    let told = world.ask("GET", "/node/snapshot/x.committed").await;
    assert_eq!(told.body["error"]["message"], "This node does not have a snapshot named x.committed");
    // What only nodes of a cluster ask each other.
    for path in ["/node/join", "/node/create", "/node/network/nodes/set_retired_committed"] {
        let status = world.ask("POST", path).await.status;
        assert!([404, 405].contains(&status), "{path}: {status}");
    }
}

#[tokio::test]
async fn the_only_node_is_not_forgotten() {
    let world = world().await;
    let id = world.front.inside.service.node().node_id.clone();
    let told = world.ask("DELETE", &format!("/node/network/nodes/{id}")).await;
    assert_eq!((told.status, told.code()), (400, "NodeNotRetiredCommitted"));
    assert_eq!(told.body["error"]["message"], "Node is not completely retired");
    let told = world.ask("DELETE", "/node/network/nodes/abc").await;
    assert_eq!((told.status, told.code()), (404, "ResourceNotFound"));
    assert_eq!(told.body["error"]["message"], "No such node");
    assert_eq!(world.ask("GET", "/node/network/nodes/self").await.status, 200);
}

#[tokio::test]
async fn a_retired_node_is_forgotten_when_it_may_be() {
    let world = world().await;
    let (id, record) = ("ab".repeat(32), json!({"status": "Retired", "retired_committed": true}).to_string());
    let add = |tx: &mut Tx| {
        tx.put(tables::NODES_INFO, id.clone(), record.clone());
        Ok(Output::empty())
    };
    world.front.inside.service.write(add).await.unwrap();
    let removable = world.ask("GET", "/node/network/removable_nodes").await.body;
    assert_eq!(removable["nodes"][0]["node_id"], id.as_str());
    let told = world.ask("DELETE", &format!("/node/network/nodes/{id}")).await;
    assert_eq!((told.status, &told.body), (200, &json!(true)));
    assert!(told.header("x-ms-ccf-transaction-id").is_some());
    assert_eq!(world.ask("GET", "/node/network/removable_nodes").await.body, json!({"nodes": []}));
    assert_eq!(world.ask("GET", &format!("/node/network/nodes/{id}")).await.status, 404);
}

#[tokio::test]
async fn requests_are_counted_by_actor_and_status() {
    let world = world().await;
    for path in ["/node/commit", "/node/commit", "/node/nope", "/gov/service/info", "/app/contracts"] {
        world.ask("GET", path).await;
    }
    let service = &world.front.inside.service;
    let metrics = Metrics::new(service.clone(), service.counters(), vec![world.interface.clone()], now);
    let page = metrics.page().unwrap();
    for line in [
        "cgs_http_requests_total{actor=\"node\",status=\"2xx\"} 2",
        "cgs_http_requests_total{actor=\"node\",status=\"4xx\"} 1",
        "cgs_http_requests_total{actor=\"gov\",status=\"4xx\"} 1",
        "cgs_http_requests_total{actor=\"app\",status=\"4xx\"} 1",
        "cgs_http_request_duration_seconds_count{actor=\"node\"} 3",
        "cgs_service_status{status=\"Opening\"} 1",
        "cgs_service_status{status=\"Open\"} 0",
        "cgs_committed_seqno 2",
        "cgs_transactions_total 1",
        "cgs_batch_transactions_sum 1.0",
        "cgs_batch_transactions_bucket{le=\"1\"} 1",
        "cgs_resumes_total 0",
        "cgs_certificate_ends_soon{certificate=\"service\"} 0",
    ] {
        assert!(page.lines().any(|other| other == line), "{line} is not in\n{page}");
    }
    assert!(!page.contains("PRIVATE") && !page.contains(&world.member.id()));
}
