//! REST calls: how many a CPU second of all the gateway's processes pays for, through its public address.

use crate::clusters::{User, reports};
use crate::failure::{Context, Outcome};
use crate::gateway::{Gateway, Kind};
use crate::issuer::Issuer;
use crate::load::{Keep, closed_loop};
use crate::stand_in::{QUIET, Report};
use crate::table::{Better, Row};
use crate::{Scale, http, step};
use std::time::Instant;

/// Connections at once.
const CONNECTIONS: usize = 8;
/// Different contents of the heartbeats that say something new.
const CONTENTS: usize = 50;
/// The call that is measured in a way of its own.
const CREATE: &str = "create";
/// Aim for every call …
const AIM: f64 = 10.0;
/// … and for create.
const AIM_CREATE: f64 = 50.0;

/// One kind of call: what each connection asks.
struct Call {
    name: &'static str,
    aim: Option<f64>,
    keep: Keep,
    scripts: Vec<Vec<Vec<u8>>>,
}

/// One gateway with its users.
struct Side<'a> {
    gateway: &'a Gateway,
    calls: Vec<Call>,
    creator: User,
    tasks: usize,
}

/// Measures both, in turns.
pub async fn measure(gateways: &[Gateway], issuer: &Issuer, scale: &Scale, rows: &mut Vec<Row>) -> Outcome<()> {
    let mut sides = Vec::new();
    for gateway in gateways {
        step(&format!("110 clusters for {:?}", gateway.kind));
        sides.push(Side::prepare(gateway, issuer).await?);
    }
    let mut table = Table { places: Vec::new(), rows };
    for round in 1..=scale.rounds {
        for (call, name) in sides[0].calls.iter().map(|call| call.name).enumerate() {
            if !name.contains(&scale.calls) {
                continue;
            }
            step(&format!("round {round}: {name}"));
            for side in &sides {
                side.call(call, scale, &mut table).await?;
            }
        }
        if CREATE.contains(&scale.calls) {
            step(&format!("round {round}: {CREATE}"));
            for side in &sides {
                side.create(scale, &mut table).await?;
            }
        }
    }
    Ok(())
}

/// Rows with the place of each: two for every kind of call, in the order of the calls.
struct Table<'a> {
    places: Vec<(usize, usize)>,
    rows: &'a mut Vec<Row>,
}

impl Table<'_> {
    fn add(&mut self, place: (usize, usize), kind: Kind, value: f64, row: impl FnOnce() -> Row) {
        let at = self.places.binary_search(&place).unwrap_or_else(|at| {
            self.places.insert(at, place);
            self.rows.insert(at, row());
            at
        });
        match kind {
            Kind::Official => self.rows[at].official.push(value),
            Kind::Ours => self.rows[at].ours.push(value),
        }
    }
}

impl<'a> Side<'a> {
    async fn prepare(gateway: &'a Gateway, issuer: &Issuer) -> Outcome<Side<'a>> {
        let (none, ten, hundred) = (
            User::sign_in(gateway, "none").await?,
            User::sign_in(gateway, "ten").await?,
            User::sign_in(gateway, "hundred").await?,
        );
        ten.create(gateway, 10).await?;
        let names = hundred.create(gateway, 100).await?;
        ten.wait_until_running(gateway, 10).await?;
        hundred.wait_until_running(gateway, 100).await?;
        let some: Vec<Report> = reports(gateway, &names[..CONNECTIONS]).await?;
        let same = |request: Vec<u8>| vec![vec![request]; CONNECTIONS];
        let list = |user: &User| same(user.request("GET", "/api/v1/clusters/", None));
        let options = |user: &User| same(user.request("GET", "/api/v1/options", None));
        let each = |script: &dyn Fn(&Report) -> Vec<Vec<u8>>| some.iter().map(script).collect::<Vec<_>>();
        let heartbeats = || each(&|report| vec![heartbeat(report, None)]);
        let call = |name, scripts| Call { name, aim: Some(AIM), keep: Keep::Alive, scripts };
        let calls = vec![
            call("version", same(http::request("GET", "/api/version", "", None))),
            call("options, by session", options(&none)),
            call("options, by password", options(&User::with_password("none"))),
            call("options, by machine token (official: password)", options(&User::with_token(gateway, "none").await?)),
            call("options, by JWT, ES256 (official: password)", options(&User::with_jwt(gateway, issuer, "none")?)),
            call("list of 0 clusters", list(&none)),
            call("list of 10 clusters", list(&ten)),
            call("list of 100 clusters", list(&hundred)),
            call(
                "get",
                each(&|report| vec![hundred.request("GET", &format!("/api/v1/clusters/{}", report.name), None)]),
            ),
            call("heartbeat, nothing new", heartbeats()),
            Call {
                name: "heartbeat, nothing new, new connection",
                aim: None, // half of it is the kernel's, for both
                keep: Keep::Fresh { most: 250 },
                scripts: heartbeats(),
            },
            call(
                "heartbeat, something new",
                each(&|report| (0..CONTENTS).map(|content| heartbeat(report, Some(content))).collect()),
            ),
        ];
        let creator = User::sign_in(gateway, "creator").await?;
        gateway.settle().await;
        Ok(Side { gateway, calls, creator, tasks: gateway.tasks().len() })
    }

    async fn call(&self, number: usize, scale: &Scale, table: &mut Table<'_>) -> Outcome<()> {
        let (gateway, call) = (self.gateway, &self.calls[number]);
        gateway.settle().await;
        let before = gateway.cpu();
        let done = closed_loop(gateway.address, call.scripts.clone(), call.keep, scale.window).await?;
        gateway.settle().await; // what it put off counts too
        let cpu = gateway.cpu().since(&before);
        table.add((number, 0), gateway.kind, done.requests / cpu, || {
            Row::new(call.name, "requests/CPU s", Better::More, call.aim)
        });
        table.add((number, 1), gateway.kind, done.requests / done.seconds, || {
            Row::new(call.name, "requests/s", Better::More, None)
        });
        Ok(())
    }

    /// Creates count until their schedulers run; stopping them does not.
    async fn create(&self, scale: &Scale, table: &mut Table<'_>) -> Outcome<()> {
        let gateway = self.gateway;
        let quiet = gateway.reports().join(QUIET);
        let failed = || format!("`{}` cannot be used", quiet.display());
        std::fs::write(&quiet, "").context(failed)?;
        gateway.settle().await;
        let before = gateway.cpu();
        let start = Instant::now();
        let names = self.creator.create(gateway, scale.creates).await?;
        let seconds = start.elapsed().as_secs_f64();
        reports(gateway, &names).await?;
        gateway.settle().await;
        let cpu = gateway.cpu().since(&before);
        let count = names.len() as f64;
        let place = self.calls.len();
        table.add((place, 0), gateway.kind, count / cpu, || {
            Row::new(CREATE, "requests/CPU s", Better::More, Some(AIM_CREATE))
        });
        table.add((place, 1), gateway.kind, count / seconds, || Row::new(CREATE, "requests/s", Better::More, None));
        std::fs::remove_file(&quiet).context(failed)?;
        self.creator.stop(gateway, &names, self.tasks).await
    }
}

/// A heartbeat of the cluster; with a number, one that names another worker as closed.
fn heartbeat(report: &Report, content: Option<usize>) -> Vec<u8> {
    let mut body = report.heartbeat.clone();
    if let Some(content) = content {
        body["closed_workers"] = serde_json::json!([format!("somebody-elses-{content}")]);
    }
    http::request("POST", &report.heartbeat_path(), &report.authorization(), Some(&body.to_string()))
}
