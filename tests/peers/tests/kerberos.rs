//! Kerberos, with a KDC of MIT's: the official client, curl, and tickets that are no longer good.
#![allow(clippy::unwrap_used)]

use faregate_cli::python::{PythonEnv, Spec, ensure};
use faregate_peers::kdc::{Kdc, said};
use faregate_tests::python::{DASK_VERSIONS, home};
use faregate_tests::script::Script;
use faregate_tests::server::{Server, eventually};
use std::path::Path;

/// The environment of the official client with what it needs for Kerberos.
fn python() -> PythonEnv {
    let mut spec = Spec::dask(DASK_VERSIONS[0], home());
    spec.requirements.push("pykerberos==1.2.4".to_owned());
    ensure(&spec, &|step| eprintln!("{step}")).unwrap()
}

/// A gateway with this keytab, at a name that tickets can be had for.
fn gateway(keytab: &Path, more: &str) -> (Server, String) {
    let keytab = keytab.display();
    let config = format!("[auth]\nmethods = [\"kerberos\"]\n[auth.kerberos]\nkeytab = \"{keytab}\"\n{more}\n");
    let server = Server::start_with(&config, python());
    let address = server.address.replace("127.0.0.1", "localhost");
    (server, address)
}

/// A service, and the keytab `keytab` with its key.
fn with_service(kdc: &Kdc) -> std::path::PathBuf {
    kdc.admin("addprinc -randkey HTTP/localhost");
    kdc.keytab("keytab", "HTTP/localhost", "")
}

/// What the official client would send to a service of this host.
fn negotiate(kdc: &Kdc, host: &str) -> Result<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/negotiate.py");
    let python = python().python();
    let arguments = [script.to_str().unwrap(), &format!("HTTP@{host}")];
    let output = kdc.command(python.to_str().unwrap(), &arguments).output().unwrap();
    if output.status.success() { Ok(said(&output).trim().to_owned()) } else { Err(said(&output)) }
}

/// `GET` of the clusters with this header: all of the answer.
fn get(kdc: &Kdc, address: &str, authorization: &str) -> String {
    let header = format!("Authorization: {authorization}");
    kdc.run("curl", &["-si", "--noproxy", "*", "-H", &header, &format!("{address}/api/v1/clusters/")])
}

/// It is refused, and the log has this reason.
fn is_refused(server: &Server, answer: &str, why: &str) {
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    eventually(why, || server.log().contains(why));
}

#[test]
fn the_official_client_signs_in_with_a_ticket_when_the_kdc_is_gone() {
    let mut kdc = Kdc::start();
    let keytab = with_service(&kdc);
    kdc.sign_in("alice", "1h");
    let (server, address) = gateway(&keytab, "");
    kdc.run("kvno", &["HTTP/localhost"]);
    kdc.kill();
    let another = kdc.command("kvno", &["krbtgt/OTHER.TEST"]).output().unwrap();
    assert!(!another.status.success(), "the KDC is gone: {}", said(&another));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/ticket.py");
    let environment = kdc.environment();
    let environment = environment.each_ref().map(|(name, path)| (*name, path.as_path()));
    Script::at(&address, &python(), &script, &[], &environment).ends_well();
    eventually("only the gateway and its proxy are left", || server.processes().len() == 2);
}

#[test]
fn tickets_of_every_type_are_good_once_in_either_wrapping() {
    let kdc = Kdc::start();
    let keytab = with_service(&kdc);
    let types = [
        "aes128-cts-hmac-sha1-96",
        "aes256-cts-hmac-sha1-96",
        "aes128-cts-hmac-sha256-128",
        "aes256-cts-hmac-sha384-192",
    ];
    for etype in types {
        kdc.admin(&format!("addprinc -randkey HTTP/{etype}"));
        kdc.admin(&format!("setstr HTTP/{etype} session_enctypes {etype}"));
        kdc.keytab("keytab", &format!("HTTP/{etype}"), &format!("-e {etype}:normal"));
    }
    kdc.admin("addprinc -randkey ldap/localhost");
    kdc.keytab("keytab", "ldap/localhost", "");
    kdc.sign_in("alice", "1h");
    let (server, address) = gateway(&keytab, "");

    // curl wraps its token in SPNEGO, and checks the answer
    let url = format!("{address}/api/v1/clusters/");
    let answer = kdc.run("curl", &["-si", "--noproxy", "*", "--negotiate", "-u", ":", &url]);
    assert!(answer.contains("HTTP/1.1 200 ") && answer.contains("www-authenticate: Negotiate oY"), "{answer}");

    for etype in types {
        let token = negotiate(&kdc, etype).unwrap();
        let answer = get(&kdc, &address, &token);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("www-authenticate: Negotiate Y"), "{answer}");
        is_refused(&server, &get(&kdc, &address, &token), "the token of `alice` was used before");
    }
    let listed = kdc.run("klist", &["-e"]);
    assert!(
        types.iter().all(|etype| listed.contains(&format!("{etype}, {etype}"))),
        "session's and ticket's: {listed}"
    );

    let unsigned = kdc.run("curl", &["-si", "--noproxy", "*", &url]);
    assert!(
        unsigned.starts_with("HTTP/1.1 401 ") && unsigned.contains("www-authenticate: Negotiate\r\n"),
        "{unsigned}"
    );
    is_refused(&server, &get(&kdc, &address, "Negotiate TlRMTVNTUAABAAAA"), "the token is NTLM's");
    is_refused(&server, &get(&kdc, &address, "Negotiate !"), "is no base64");
    // large tickets are read; what no ticket is as large as is not
    let large = |length: usize| format!("Negotiate {}", "YIIA".repeat(length / 3));
    is_refused(&server, &get(&kdc, &address, &large(48 * 1024)), "the token is no GSS-API token");
    is_refused(&server, &get(&kdc, &address, &large(66 * 1024)), "and at most 65536 are read");
}

#[test]
fn a_ticket_for_another_key_is_refused() {
    let kdc = Kdc::start();
    let old = with_service(&kdc);
    kdc.sign_in("alice", "1h");
    let (server, address) = gateway(&old, "");
    kdc.keytab("newer", "HTTP/localhost", "");
    is_refused(&server, &get(&kdc, &address, &negotiate(&kdc, "localhost").unwrap()), "version (kvno) 3");

    // the same version, of another key
    kdc.admin("delprinc -force HTTP/localhost");
    kdc.admin("addprinc -randkey HTTP/localhost");
    kdc.keytab("other", "HTTP/localhost", "");
    kdc.kinit("alice", "1h");
    let token = negotiate(&kdc, "localhost").unwrap();
    is_refused(&server, &get(&kdc, &address, &token), "is not encrypted with the keytab's key of that version");

    kdc.admin("addprinc -randkey HTTP/elsewhere");
    let token = negotiate(&kdc, "elsewhere").unwrap();
    is_refused(&server, &get(&kdc, &address, &token), "`HTTP/elsewhere@EXAMPLE.TEST`, which is not in the keytab");
}

#[test]
fn an_expired_ticket_is_refused() {
    let kdc = Kdc::start();
    let keytab = with_service(&kdc);
    kdc.sign_in("alice", "1h");
    let (server, address) = gateway(&keytab, "clock_skew = 1");
    let mut token = None;
    eventually("a ticket is had while it is good, however slow this machine is", || {
        kdc.kinit("alice", "4s");
        token = negotiate(&kdc, "localhost").ok();
        token.is_some()
    });
    let token = token.unwrap();
    eventually("the ticket expires", || {
        get(&kdc, &address, &token);
        server.log().contains("the ticket of `alice@EXAMPLE.TEST` expired")
    });
    is_refused(&server, &get(&kdc, &address, &token), "expired");
}
