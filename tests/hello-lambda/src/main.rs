//! A function that says hello, as `lambda_http`'s own examples begin. `start-up` measures the functions beside it.

use lambda_http::{Body, Error, Request, Response, run, service_fn, tracing};

async fn hello(_: Request) -> Result<Response<Body>, Error> {
    let response = Response::builder().status(200).header("content-type", "text/plain");
    Ok(response.body("Hello, world!".into())?)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    run(service_fn(hello)).await
}
