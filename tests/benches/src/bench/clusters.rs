//! Users and clusters of a gateway under measurement.

use crate::failure::{Context, Failure, Outcome};
use crate::gateway::{Gateway, Kind};
use crate::http::{self, Connection};
use crate::issuer::Issuer;
use crate::stand_in::Report;
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(120);
/// Clusters asked for at once.
const AT_ONCE: usize = 4;

/// Somebody, and what they show.
#[derive(Clone, Debug)]
pub struct User {
    /// Whole header lines.
    shown: String,
}

impl User {
    /// Signs in once; from then on the session's cookie is enough.
    pub async fn sign_in(gateway: &Gateway, name: &str) -> Outcome<User> {
        let request = http::request("GET", "/api/v1/clusters/", &http::basic(name), None);
        let answer = http::once(gateway.address, &request).await?;
        let cookie = answer.header("set-cookie").next().and_then(|cookie| cookie.split(';').next());
        let cookie = cookie.context(|| format!("the gateway set no session cookie: {}", answer.head))?;
        Ok(User { shown: format!("Cookie: {cookie}\r\n") })
    }

    /// A user who comes with a machine token; at the official gateway, which has none, with the password.
    pub async fn with_token(gateway: &Gateway, name: &str) -> Outcome<User> {
        if gateway.kind == Kind::Official {
            return Ok(User { shown: http::basic(name) });
        }
        let body = r#"{"name": "bench", "scopes": ["read"]}"#;
        let request = http::request("POST", "/api/v1/tokens", &http::basic(name), Some(body));
        let answer = http::once(gateway.address, &request).await?.good()?;
        let made: Value = serde_json::from_slice(&answer.body).context(|| "the token is no JSON".to_owned())?;
        let token = made["token"].as_str().context(|| "there is no token".to_owned())?;
        Ok(User { shown: format!("Authorization: Bearer {token}\r\n") })
    }

    /// A user who comes with a JWT; at the official gateway, which takes none, with the password.
    pub fn with_jwt(gateway: &Gateway, issuer: &Issuer, name: &str) -> Outcome<User> {
        let shown = match gateway.kind {
            Kind::Official => http::basic(name),
            Kind::Ours => format!("Authorization: Bearer {}\r\n", issuer.token(name)?),
        };
        Ok(User { shown })
    }

    /// A user who comes with the password each time.
    pub fn with_password(name: &str) -> User {
        User { shown: http::basic(name) }
    }

    /// A request of this user.
    pub fn request(&self, method: &str, path: &str, body: Option<&str>) -> Vec<u8> {
        http::request(method, path, &self.shown, body)
    }

    /// Asks for `count` clusters, a few at once. Their names.
    pub async fn create(&self, gateway: &Gateway, count: usize) -> Outcome<Vec<String>> {
        let request = self.request("POST", "/api/v1/clusters/", Some(r#"{"cluster_options": {}}"#));
        let mut asking = tokio::task::JoinSet::new();
        let askers = AT_ONCE.min(count);
        for asker in 0..askers {
            let (request, address) = (request.clone(), gateway.address);
            let share = (count + askers - 1 - asker) / askers;
            asking.spawn(async move {
                let mut connection = Connection::open(address).await?;
                let mut names = Vec::new();
                for _ in 0..share {
                    names.push(name(&connection.ask(&request).await?.good()?.body)?);
                }
                Ok::<_, Failure>(names)
            });
        }
        let mut names = Vec::new();
        while let Some(ended) = asking.join_next().await {
            names.extend(ended.unwrap_or_else(|panic| Err(Failure::new(panic.to_string())))?);
        }
        Ok(names)
    }

    /// Waits until so many of the user's clusters are RUNNING.
    pub async fn wait_until_running(&self, gateway: &Gateway, count: usize) -> Outcome<()> {
        let request = self.request("GET", "/api/v1/clusters/?status=running", None);
        let deadline = Instant::now() + PATIENCE;
        let mut running = 0;
        while Instant::now() < deadline {
            let answer = http::once(gateway.address, &request).await?;
            let list: Value = serde_json::from_slice(&answer.body).context(|| "the list is no JSON".to_owned())?;
            running = list.as_object().map_or(0, serde_json::Map::len);
            if running >= count {
                return Ok(());
            }
            sleep(Duration::from_millis(100)).await;
        }
        Err(Failure::new(format!(
            "{running} of {count} clusters were running after {} s; the gateway says:\n{}",
            PATIENCE.as_secs(),
            gateway.last_words()
        )))
    }

    /// Stops clusters, and waits until no process of theirs is left.
    pub async fn stop(&self, gateway: &Gateway, names: &[String], others: usize) -> Outcome<()> {
        let mut connection = Connection::open(gateway.address).await?;
        for name in names {
            connection.ask(&self.request("DELETE", &format!("/api/v1/clusters/{name}"), None)).await?.good()?;
        }
        let deadline = Instant::now() + PATIENCE;
        while gateway.tasks().len() > others {
            if Instant::now() > deadline {
                return Err(Failure::new(format!("clusters did not stop in {} s", PATIENCE.as_secs())));
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

fn name(body: &[u8]) -> Outcome<String> {
    let answer: Value = serde_json::from_slice(body).context(|| "the answer is no JSON".to_owned())?;
    answer["name"].as_str().map(str::to_owned).context(|| format!("`{answer}` names no cluster"))
}

/// What the clusters' stand-ins wrote down, once each has.
pub async fn reports(gateway: &Gateway, names: &[String]) -> Outcome<Vec<Report>> {
    let deadline = Instant::now() + PATIENCE;
    let dir = gateway.reports();
    let mut found = Vec::new();
    for name in names {
        loop {
            match Report::read(&dir, name) {
                Some(report) => break found.push(report),
                None if Instant::now() > deadline => {
                    let words = gateway.last_words();
                    return Err(Failure::new(format!(
                        "the scheduler of `{name}` was not started; its gateway says:\n{words}"
                    )));
                }
                None => sleep(Duration::from_millis(10)).await,
            }
        }
    }
    Ok(found)
}
