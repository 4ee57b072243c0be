//! The REST API behind API Gateway. It writes what is wanted and sends wakes; it starts and stops nothing.

use faregate_api::{App, Dashboards, router};
use faregate_auth::access::Access;
use faregate_functions::{
    Aws, Records, Settings, chain, cluster_settings, front_door, init_logs, key_ring_and_sign_in, schedulers, sign_in,
};
use faregate_gateway::Gateway;
use faregate_machine::Machine;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    init_logs();
    let app = app().await.inspect_err(|error| tracing::error!(error = chain(&**error), "API start failed"))?;
    let router = router(app);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| front_door::serve(router.clone(), event))).await
}

async fn app() -> Result<App, Error> {
    let settings = Settings::from_env()?;
    let aws = Aws::from_env()?;
    let secret = settings.sign_in_secret.as_deref().ok_or("`FAREGATE_SIGN_IN_SECRET` is not set")?;
    let (ring, secret) = key_ring_and_sign_in(&aws.secrets(), &settings.secret, secret).await?;
    let records = Records::new(&settings, &aws);
    let gateway = Gateway::new(
        records.context(&settings, ring.clone()),
        schedulers(&settings, &aws)?,
        cluster_settings(&settings)?,
    );
    let access = Arc::new(Access::new(records.store, Arc::new(Machine::default())));
    Ok(App {
        auth: sign_in(&settings, secret, &ring, &access)?,
        access,
        gateway: Arc::new(gateway),
        prefix: String::new(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        dashboards: settings
            .proxy_url
            .map_or(Dashboards::Nowhere, |url| Dashboards::Elsewhere { url, sign_in: settings.dashboard_sign_in }),
        client_networks: settings.client_networks,
    })
}
