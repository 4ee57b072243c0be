//! `docs/http.md` is what the API's own table of routes says.

use crate::documents::root;
use faregate_api::{Dashboards, Frozen, Route, STATUSES, Who, dashboard_route, routes, sign_in_route};
use std::fmt::Write as _;

/// Set, the guide is written anew.
const WRITE: &str = "FAREGATE_WRITE_REFERENCE";

const BEGINNING: &str = "\
<!-- Made of the code. FAREGATE_WRITE_REFERENCE=1 cargo test -p faregate-tests --test guides http writes it anew. -->

# The HTTP API

For developers: what the official client speaks, and what else there is.

Paths are below the address and prefix that the gateway is served under, and good with a slash at their end, too; a name that ends a path as `{*…}` may hold slashes.
`GET` also answers `HEAD`. Bodies and answers are JSON objects. [Authentication](sign-in.md) says how callers show who they are, and
[Use Faregate](users.md) how machine tokens are made.

## Routes

- **Who**: anybody without sign-in; users; the cluster in the path by its token; or admins. Whose a cluster is, is asked for all routes alike.
- **Token scope**: what a user's machine token must be good for. With none, no machine token will do.
- **Frozen**: may users ask for it while they are frozen?

| route | who | token scope | frozen | what it does |
|---|---|---|---|---|
";

const REFUSALS: &str = "
## Refusals

Who is refused gets one of these, and `{\"error\": \"…\"}` with a sentence that says what to do. What is not said otherwise above is answered with 200.

| status | why |
|---|---|
";

fn row(route: &Route) -> String {
    let who = match route.access.who {
        Who::Anybody => "anybody",
        Who::User => "users",
        Who::Cluster => "the cluster",
        Who::UserOrCluster => "users, the cluster",
        Who::Admin => "admins",
    };
    let scope = route.access.scope.map_or("none".to_owned(), |scope| format!("`{}`", scope.as_str()));
    // a freeze is of users
    let (scope, frozen) = match (route.access.who, route.access.frozen) {
        (Who::Anybody | Who::Cluster, _) => (String::new(), ""),
        (_, Frozen::Allowed) => (scope, "yes"),
        (_, Frozen::Refused) => (scope, "no"),
    };
    format!("| `{} {}` | {who} | {scope} | {frozen} | {} |\n", route.method, route.path, route.does)
}

fn reference() -> String {
    let elsewhere = |sign_in| Dashboards::Elsewhere { url: String::new(), sign_in };
    let dashboards = [true, false].into_iter().filter_map(|sign_in| dashboard_route(&elsewhere(sign_in)));
    let rows: String = routes().into_iter().chain(sign_in_route()).chain(dashboards).map(|route| row(&route)).collect();
    let mut text = format!("{BEGINNING}{rows}{REFUSALS}");
    for (status, why) in STATUSES {
        writeln!(text, "| {} | {why} |", status.as_u16()).unwrap();
    }
    text
}

#[test]
fn the_http_reference_is_what_the_code_says() {
    let (path, text) = (root().join("docs/http.md"), reference());
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = found.lines().zip(text.lines()).find(|(found, right)| found != right);
    assert!(
        found == text,
        "docs/http.md is not what the code says; write it anew with `{WRITE}=1 cargo test -p faregate-tests --test guides http`: {differs:#?}"
    );
}
