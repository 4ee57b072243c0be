//! Links to dashboards that are good once: for those who sign in where dashboards are elsewhere, and for admins.

use faregate_api::Dashboards;
use faregate_core::model::ClusterName;
use faregate_keys::{TICKET_LIFE_MS, Ticket, Use};
use faregate_tests::api::{Answer, Api, Setup};
use serde_json::json;

const PROXY: &str = "https://dash.example:8443/proxy";

async fn api(dashboards: Dashboards, prefix: &str) -> Api {
    Api::with(Setup { dashboards: Some(dashboards), prefix: prefix.into(), ..Setup::default() }).await
}

fn elsewhere(sign_in: bool) -> Dashboards {
    Dashboards::Elsewhere { url: PROXY.into(), sign_in }
}

/// What follows the ticket in a link to this cluster's dashboard; the ticket must be good now, and not for long.
fn after_ticket(api: &Api, link: &str, base: &str, name: &ClusterName) -> String {
    let rest = link.strip_prefix(&format!("{base}/clusters/{name}/")).unwrap_or_else(|| panic!("{link}"));
    let (ticket, tail) = rest.split_at(rest.find('/').unwrap());
    let open = |now| Ticket::open(ticket, api.gateway.ring(), Use::Ticket, name, now);
    assert!(open(api.gateway.now()).is_some(), "{link}");
    assert!(open(api.gateway.now() + TICKET_LIFE_MS).is_none(), "{link}");
    tail.to_owned()
}

async fn admins_link(api: &Api, who: &str, name: &ClusterName) -> Answer {
    let path = format!("/api/v1/admin/clusters/{name}/dashboard");
    api.post(&path).basic(who).json(&json!({"why": "it looks odd"})).send().await
}

/// What was done to whom, by whom.
async fn audits(api: &Api) -> Vec<String> {
    let answer = api.get("/api/v1/admin/audit").basic("root").send().await.json();
    let row = |audit: &serde_json::Value| format!("{} {} {}", audit["who"], audit["action"], audit["target"]);
    answer["audit"].as_array().unwrap_or_else(|| panic!("{answer}")).iter().map(row).collect()
}

#[tokio::test]
async fn who_signs_in_is_led_to_the_proxy_with_a_ticket() {
    for prefix in ["", "/services/dask-gateway"] {
        let api = api(elsewhere(true), prefix).await;
        let name = api.running("alice").await;
        assert_eq!(api.report("alice", &name).await["dashboard_route"], format!("/clusters/{name}/status"));
        for tail in ["/status", "/info/main/workers.html?x=%2F", "/a%2Fb%0A%3Fx"] {
            let path = format!("/clusters/{name}{tail}");
            assert_eq!(api.get(&path).send().await.status, 401);
            assert_eq!(api.get(&path).basic("bob").send().await.status, 403);
            let answer = api.get(&path).basic("alice").send().await;
            assert_eq!(answer.status, 303);
            let place = answer.headers["location"].to_str().unwrap();
            assert_eq!(after_ticket(&api, place, PROXY, &name), tail);
            assert_eq!(
                (&answer.headers["cache-control"], &answer.headers["referrer-policy"]),
                (&"no-store".parse().unwrap(), &"no-referrer".parse().unwrap())
            );
            assert!(answer.set_cookies("faregate-dashboard").is_empty(), "the proxy sets it, at its own address");
            let again = api.get(&path).cookie(&answer.session().unwrap()).send().await;
            assert_ne!(again.headers["location"], place, "each ticket is another");
        }
    }
}

#[tokio::test]
async fn an_admin_looks_at_anybodys_dashboard_and_that_is_on_record() {
    for (dashboards, base) in [
        (elsewhere(true), PROXY),
        (elsewhere(false), PROXY),
        (Dashboards::Here { sign_in: true }, "http://gateway.example:8000"),
        (Dashboards::Here { sign_in: false }, "http://gateway.example:8000"),
    ] {
        let signs_in =
            matches!(dashboards, Dashboards::Here { sign_in: true } | Dashboards::Elsewhere { sign_in: true, .. });
        let api = api(dashboards, "").await;
        let (name, pending) = (api.running("alice").await, api.create("alice").await);
        for (who, cluster, status) in [("alice", &name, 403), ("bob", &name, 403), ("root", &pending, 404)] {
            assert_eq!(admins_link(&api, who, cluster).await.status, status, "{who}");
        }
        assert_eq!(audits(&api).await, [] as [&str; 0], "what is refused is not done");
        let answer = admins_link(&api, "root", &name).await;
        assert_eq!((answer.status.as_u16(), &answer.headers["cache-control"]), (200, &"no-store".parse().unwrap()));
        let link = answer.json()["url"].as_str().unwrap().to_owned();
        if signs_in {
            assert_eq!(after_ticket(&api, &link, base, &name), "/status");
            // to the owner's own address they have no way, admin or not
            assert_eq!(api.get(&format!("/clusters/{name}/status")).basic("root").send().await.status, 403);
        } else {
            let route = api.report("alice", &name).await["dashboard_route"].clone();
            assert_eq!(link, format!("{base}{}", route.as_str().unwrap()));
        }
        assert_eq!(audits(&api).await, [format!("\"root\" \"open-dashboard\" \"{name}\"")]);
    }
}

#[tokio::test]
async fn without_dashboards_there_is_no_link_for_admins_either() {
    let api = api(Dashboards::Nowhere, "").await;
    let name = api.running("alice").await;
    let answer = admins_link(&api, "root", &name).await;
    assert_eq!(answer.status, 404);
    assert!(audits(&api).await.is_empty());
}
