//! OpenID Connect, with a provider of people's own: the official client, from signing in to the end.
#![allow(clippy::unwrap_used)]

use faregate_peers::oidc::Provider;
use faregate_peers::{script, scripts_of_stories};
use faregate_tests::python::{DASK_VERSIONS, dask};
use faregate_tests::script::Script;
use faregate_tests::server::Server;

#[test]
fn a_session_outlives_the_key_that_it_began_with_and_the_provider() {
    let mut provider = Provider::start("first");
    let config = format!(
        "[auth]
         methods = [\"jwt\"]
         [auth.jwt]
         issuer = \"{}\"
         audience = \"dask\"
         groups_claim = \"groups\"",
        provider.address
    );
    let python = dask(DASK_VERSIONS[0]);
    let server = Server::start_with(&config, python.clone());
    let file = server.data_dir.with_file_name("token");
    std::fs::write(&file, provider.token()).unwrap();
    let arguments = [file.to_str().unwrap()];
    let stories = scripts_of_stories();
    let environment = [("PYTHONPATH", stories.as_path())];
    let mut session = Script::at(&server.address, &python, &script("oidc_session"), &arguments, &environment);
    session.hears("computed");
    provider.rotate("second");
    std::fs::write(&file, provider.token()).unwrap();
    session.go_on();
    session.hears("rotated");
    provider.stop();
    session.go_on();
    session.ends_well();
    assert_eq!(server.get("/api/v1/clusters/").unwrap().0, 401, "nobody comes in without a token");
}
