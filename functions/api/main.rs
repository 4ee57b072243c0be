//! The REST API behind API Gateway. It writes what is wanted and sends wakes; it starts and stops nothing.

use faregate::api::{App, Dashboards, auth, router};
use faregate_functions::{Aws, Settings, chain, front_door, gateway, init_logs, password};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

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
    let password = async {
        let Some(secret) = &settings.password_secret else { return Ok(None) };
        password(&secrets, secret).await.map(Some)
    };
    let (parts, password) = tokio::try_join!(gateway(&settings, &aws, None), password)?;
    let basic = |password| Box::new(auth::SharedPassword { password: Some(password) }) as Box<dyn auth::Method>;
    let methods = password.map(basic).into_iter().collect();
    Ok(App {
        gateway: parts.gateway,
        auth: auth::Auth::new(&parts.ring, methods, settings.admins.into_iter().collect())?
            .with_groups(settings.groups),
        prefix: String::new(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        dashboards: settings.proxy_url.map_or(Dashboards::Nowhere, |url| Dashboards::Elsewhere { url }),
    })
}
