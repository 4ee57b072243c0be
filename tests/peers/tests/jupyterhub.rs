//! JupyterHub: the official client in a notebook of a user's server, with the token that the hub has given it.
#![allow(clippy::unwrap_used)]

use faregate_peers::hub::{DRIVER_TOKEN, Hub, OWN_TOKEN, Place, python};
use faregate_peers::{script, scripts_of_stories};
use faregate_tests::script::Script;
use faregate_tests::server::Server;

#[test]
fn a_notebook_of_the_hub_needs_no_other_credentials() {
    let place = Place::find();
    let config = format!(
        "prefix = \"/services/dask-gateway\"
         [auth]
         methods = [\"jupyterhub\"]
         [auth.jupyterhub]
         api_url = \"{}/hub/api\"
         api_token = \"{OWN_TOKEN}\"
         service_name = \"dask-gateway\"",
        place.address()
    );
    let server = Server::start_with(&config, python());
    let authority = server.address.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    let mut hub = Hub::start(place, &format!("http://{authority}"));
    let (public, relay) = (format!("{}/services/dask-gateway", hub.address()), format!("gateway://{authority}"));
    let stories = scripts_of_stories();
    let environment = [("PYTHONPATH", stories.as_path())];
    let arguments = [public.as_str(), relay.as_str(), DRIVER_TOKEN];
    let mut session = Script::at(&hub.address(), &python(), &script("hub_session"), &arguments, &environment);
    session.hears("computed");
    hub.kill9();
    session.go_on();
    session.ends_well();
    assert_eq!(
        server.get("/services/dask-gateway/api/v1/clusters/").unwrap().0,
        401,
        "nobody comes in without a token"
    );
}
