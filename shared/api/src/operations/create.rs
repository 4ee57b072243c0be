use crate::App;
use crate::body::{self, SMALL};
use crate::door::Session;
use crate::error::{ApiError, json};
use crate::params::no_slips;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use faregate_core::options;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub async fn create(State(app): State<Arc<App>>, session: Session, body: Body) -> Result<Response, ApiError> {
    let bytes = body::read(body, SMALL).await?;
    // the client writes a float option that is not a number as `NaN`, which is no JSON
    let value = options::parse_json(&bytes).map_err(|error| body::not_json(&bytes, &error))?;
    let mut request = body::object(value)?;
    no_slips(&request, &["cluster_options"])?;
    let options = match request.remove("cluster_options") {
        None => Map::new(),
        Some(Value::Object(options)) => options,
        Some(other) => {
            let kind = body::kind(&other);
            return Err(ApiError::invalid(format!("`cluster_options` must be an object, not {kind}")));
        }
    };
    let who = session.confirmed(&app).await?;
    let name = app.gateway.clusters.create(&who, options).await?;
    Ok(json(StatusCode::CREATED, &json!({"name": name})))
}
