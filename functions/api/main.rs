//! The REST API behind API Gateway. It writes what is wanted and sends wakes; it starts and stops nothing.

use faregate::access::Access;
use faregate::api::{App, Dashboards, router};
use faregate::machine::Machine;
use faregate_functions::{Aws, Settings, SignInSecret, chain, front_door, gateway, init_logs, sign_in, sign_in_secret};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    init_logs();
    let app = app().await.inspect_err(|error| tracing::error!(error = chain(&**error), "the API cannot start"))?;
    let router = router(app);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| front_door::serve(router.clone(), event))).await
}

async fn app() -> Result<App, Error> {
    let settings = Settings::from_env()?;
    let aws = Aws::load().await;
    let secrets = aws.secrets();
    let secret = async {
        let Some(secret) = &settings.sign_in_secret else { return Ok(SignInSecret::default()) };
        sign_in_secret(&secrets, secret).await
    };
    let (parts, secret) = tokio::try_join!(gateway(&settings, &aws, None), secret)?;
    let access = Arc::new(Access::new(parts.store, Arc::new(Machine::default())));
    Ok(App {
        gateway: parts.gateway,
        auth: sign_in(&settings, secret, &parts.ring, &access)?,
        access,
        prefix: String::new(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        dashboards: settings
            .proxy_url
            .map_or(Dashboards::Nowhere, |url| Dashboards::Elsewhere { url, sign_in: settings.dashboard_sign_in }),
    })
}
