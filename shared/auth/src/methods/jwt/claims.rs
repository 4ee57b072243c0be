//! What a token says: is it for us, is it good now, and whose is it?

use super::Config;
use crate::AuthError;
use faregate_core::model::{Ms, user_name};
use serde_json::{Map, Value};

type Claims = Map<String, Value>;

/// Issuer, audience, and the time.
pub fn check(claims: &Claims, config: &Config, now: Ms) -> Result<(), AuthError> {
    if claims.get("iss").and_then(Value::as_str) != Some(config.issuer.as_str()) {
        return Err(AuthError::denied(format!("the token is of another issuer: {}", quoted(claims.get("iss")))));
    }
    let ours = |one: &Value| one.as_str().is_some_and(|one| config.audience.contains(one));
    let audience = claims.get("aud");
    if !audience.is_some_and(|aud| ours(aud) || aud.as_array().is_some_and(|many| many.iter().any(ours))) {
        return Err(AuthError::denied(format!("the token is for another audience: {}", quoted(audience))));
    }
    let (now, leeway) = (now as f64 / 1000.0, f64::from(config.leeway));
    let expires = seconds(claims, "exp")?.ok_or(AuthError::denied("the token does not say when it expires"))?;
    if now >= expires + leeway {
        return Err(AuthError::denied("the token has expired"));
    }
    if seconds(claims, "nbf")?.is_some_and(|begins| now < begins - leeway) {
        return Err(AuthError::denied("the token is not good yet"));
    }
    Ok(())
}

/// RFC 7519, 2: seconds since 1970, perhaps with a fraction.
fn seconds(claims: &Claims, name: &'static str) -> Result<Option<f64>, AuthError> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) => Ok(Some(seconds)),
            None => Err(AuthError::denied(format!("the token's `{name}` is no number"))),
        },
    }
}

/// The user's name, in its one form.
pub fn user(claims: &Claims, config: &Config) -> Result<String, AuthError> {
    let claim = &config.user_claim;
    // https://openid.net/specs/openid-connect-core-1_0.html#StandardClaims: anybody can claim an address that nobody verified
    let unverified = || claims.get("email_verified").is_some_and(|value| *value != true && value != "true");
    if claim == "email" && unverified() {
        return Err(AuthError::denied("the token's `email` is not verified"));
    }
    let name = find(claims, claim).and_then(Value::as_str);
    let name = name.ok_or_else(|| AuthError::denied(format!("the token has no text in `{claim}`")))?;
    user_name(name).map_err(|_| AuthError::denied("no user can be called so"))
}

/// The groups that it names: a list, or text with commas or else spaces between them.
pub fn groups(claims: &Claims, config: &Config) -> Result<Vec<String>, AuthError> {
    let Some(claim) = &config.groups_claim else { return Ok(Vec::new()) };
    let words = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect();
    let groups = match find(claims, claim) {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(list)) => list.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(words),
        Some(Value::String(text)) if text.contains(',') => {
            Some(words(text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect()))
        }
        Some(Value::String(text)) => Some(words(text.split_whitespace().collect())),
        Some(_) => None,
    };
    // without its groups a user would escape their limits
    groups.ok_or_else(|| AuthError::denied(format!("the token's `{claim}` is neither a list of texts nor text")))
}

/// A claim by its name, which may have dots in it, or by a path with dots between the names: `realm_access.roles`.
fn find<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        find(claims.get(first)?.as_object()?, rest)
    })
}

/// For the log: it is not yet known who wrote this.
fn quoted(value: Option<&Value>) -> String {
    let text = value.map(Value::to_string).unwrap_or_else(|| "none".into());
    let shown: String = text.chars().take(200).flat_map(char::escape_debug).collect();
    format!("`{shown}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Ms = 1_800_000_000_000;
    const S: i64 = NOW / 1000;

    fn config() -> Config {
        let audience = ["dask", "other"].map(str::to_owned).into();
        Config { issuer: "https://id.example".into(), audience, ..Config::default() }
    }

    fn with(changes: Value) -> Claims {
        let mut claims = json!({"iss": "https://id.example", "aud": "dask", "exp": S + 300, "sub": "alice"});
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        claims.as_object().unwrap().clone()
    }

    #[test]
    fn a_token_is_good_for_its_audience_in_its_time() {
        for good in [
            json!({}),
            json!({"aud": ["x", "dask"]}),
            json!({"aud": "other"}),
            json!({"exp": S - 59}),
            json!({"exp": S as f64 + 0.5}),
            json!({"exp": 1e18}),
            json!({"nbf": S + 60}),
            json!({"nbf": 0}),
            json!({"iat": S + 999}),
        ] {
            assert_eq!(check(&with(good.clone()), &config(), NOW), Ok(()), "{good}");
        }
        for bad in [
            json!({"iss": null}),
            json!({"iss": "https://id.example/"}),
            json!({"iss": "https://evil.example"}),
            json!({"iss": ["https://id.example"]}),
            json!({"aud": null}),
            json!({"aud": ""}),
            json!({"aud": "das"}),
            json!({"aud": []}),
            json!({"aud": [["dask"]]}),
            json!({"aud": {"dask": 1}}),
            json!({"exp": null}),
            json!({"exp": S - 60}),
            json!({"exp": -1}),
            json!({"exp": format!("{}", S + 300)}),
            json!({"exp": true}),
            json!({"exp": [S + 300]}),
            json!({"nbf": S + 61}),
            json!({"nbf": "0"}),
            json!({"nbf": 1e18}),
        ] {
            assert!(check(&with(bad.clone()), &config(), NOW).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_quoted_for_the_log_is_one_short_line() {
        let long = with(json!({"aud": format!("a\nb{}", "x".repeat(5000))}));
        let Err(AuthError::Denied(why)) = check(&long, &config(), NOW) else { panic!("it is denied") };
        assert!(why.len() < 300 && !why.contains('\n'), "{why}");
    }

    #[test]
    fn the_name_is_in_the_claim_that_is_configured() {
        let of =
            |claim: &str, claims: Value| user(&with(claims), &Config { user_claim: claim.into(), ..config() }).ok();
        assert_eq!(of("sub", json!({})).as_deref(), Some("alice"));
        assert_eq!(of("name", json!({"name": "andre\u{301}"})).as_deref(), Some("andr\u{e9}"));
        assert_eq!(of("a.b", json!({"a": {"b": "bob"}})).as_deref(), Some("bob"));
        assert_eq!(of("https://x.example/name", json!({"https://x.example/name": "bob"})).as_deref(), Some("bob"));
        assert_eq!(of("email", json!({"email": "a@b.c", "email_verified": true})).as_deref(), Some("a@b.c"));
        assert_eq!(of("email", json!({"email": "a@b.c"})).as_deref(), Some("a@b.c"));
        for (claim, bad) in [
            ("sub", json!({"sub": null})),
            ("sub", json!({"sub": 7})),
            ("sub", json!({"sub": ""})),
            ("sub", json!({"sub": "a\nb"})),
            ("sub", json!({"sub": "a".repeat(129)})),
            ("email", json!({"email": "a@b.c", "email_verified": false})),
            ("email", json!({"email": "a@b.c", "email_verified": "false"})),
            ("a.b", json!({"a": "b"})),
        ] {
            assert_eq!(of(claim, bad.clone()), None, "{claim} {bad}");
        }
    }

    #[test]
    fn groups_are_found_where_providers_put_them() {
        let of = |claim: &str, claims: Value| {
            groups(&with(claims), &Config { groups_claim: Some(claim.into()), ..config() }).ok()
        };
        let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(of("cognito:groups", json!({"cognito:groups": ["a", "b c"]})), words(&["a", "b c"]));
        assert_eq!(of("realm_access.roles", json!({"realm_access": {"roles": ["a"]}})), words(&["a"]));
        assert_eq!(of("https://x.example/roles", json!({"https://x.example/roles": ["a"]})), words(&["a"]));
        assert_eq!(of("a.b.c", json!({"a": {"b.c": ["x"]}})), words(&["x"]));
        assert_eq!(of("scope", json!({"scope": "read  write"})), words(&["read", "write"]));
        assert_eq!(of("groups", json!({"groups": "data science, ops,"})), words(&["data science", "ops"]));
        assert_eq!(of("groups", json!({})), words(&[]));
        assert_eq!(of("groups", json!({"groups": []})), words(&[]));
        for bad in [json!({"groups": 7}), json!({"groups": {"a": 1}}), json!({"groups": ["a", 1]})] {
            assert_eq!(of("groups", bad.clone()), None, "{bad}");
        }
    }
}
