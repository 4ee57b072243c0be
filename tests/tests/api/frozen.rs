//! What a freeze leaves open.

use crate::tokens::{CLUSTERS, MINUTE, status, token};
use faregate_tests::api::{Api, Call};
use serde_json::{Value, json};

#[tokio::test]
async fn the_frozen_are_refused_all_but_the_reason_within_a_minute_and_let_in_again() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    let (text, _) = token(&api, "alice", &["create", "read", "stop"]).await;
    let cookie = api.get(CLUSTERS).basic("alice").send().await.session().unwrap();
    let cluster = format!("/api/v1/clusters/{name}");
    let frozen = json!({"scope": "user:alice", "why": "the course is over"});
    let by_admin = async |path: &str, body: &Value| {
        assert_eq!(status(api.post(&format!("/api/v1/admin/{path}")).basic("root").json(body)).await, 200);
        api.host.pass(MINUTE);
    };
    by_admin("freeze", &frozen).await;
    let refused = |call: Call| async {
        let answer = call.send().await;
        assert_eq!(answer.status, 422, "{answer:?}");
        assert_eq!(answer.error(), "user:alice is frozen: the course is over");
    };
    for path in ["/api/v1/options", "/api/v1/usage", "/api/v1/tokens", CLUSTERS, &cluster] {
        refused(api.get(path).basic("alice")).await;
        refused(api.get(path).cookie(&cookie)).await;
    }
    refused(api.get(&cluster).bearer(&text)).await;
    refused(api.post(CLUSTERS).cookie(&cookie).json(&json!({}))).await;
    refused(api.post(&format!("{cluster}/scale")).cookie(&cookie).json(&json!({"count": 1}))).await;
    refused(api.delete(&cluster).cookie(&cookie)).await;
    for path in ["/api/v1/limits", "/api/v1/limits/", &format!("{cluster}/explain"), &format!("{cluster}/explain/")] {
        assert_eq!(status(api.get(path).cookie(&cookie)).await, 200, "{path}");
        assert_eq!(status(api.get(path).bearer(&text)).await, 200, "{path}");
    }
    assert_eq!(status(api.get(CLUSTERS).basic("bob")).await, 200, "another's freeze");
    by_admin("unfreeze", &json!({"scope": "user:alice"})).await;
    assert_eq!(status(api.get(&cluster).cookie(&cookie)).await, 200);

    // everybody, and only the admin can take it back
    by_admin("freeze", &json!({"scope": "default", "why": "maintenance"})).await;
    for user in ["bob", "root"] {
        let answer = api.get(CLUSTERS).basic(user).send().await;
        assert_eq!((answer.status.as_u16(), answer.error().as_str()), (422, "default is frozen: maintenance"));
    }
    by_admin("unfreeze", &json!({"scope": "default"})).await;
    assert_eq!(status(api.get(CLUSTERS).basic("bob")).await, 200);
}
