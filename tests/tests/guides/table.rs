//! Who runs each command of the guides.

/// Who runs a command.
pub enum By {
    /// A test, in a short form.
    Test {
        /// Its file, from the root of the repository.
        file: &'static str,
        /// Its name.
        name: &'static str,
    },
    /// A part of `tests/full`, as it stands there.
    Full {
        /// Its name.
        part: &'static str,
    },
    /// Nobody.
    Nobody {
        /// Why not.
        why: &'static str,
    },
}

const fn here(name: &'static str) -> By {
    By::Test { file: "tests/tests/guides/local.rs", name }
}

const fn aws(name: &'static str) -> By {
    By::Test { file: "tests/aws/tests/guides.rs", name }
}

const fn bench(name: &'static str) -> By {
    By::Test { file: "tests/benches/tests/short.rs", name }
}

const fn full(part: &'static str) -> By {
    By::Full { part }
}

const ADMIN: By = here("a_configured_gateway_and_its_administration");
const USERS: By = here("passwords_and_machine_tokens");
const PROXY_IMAGE: By = aws("an_account_is_prepared_for_a_deployment");

/// Every command once.
pub const TABLE: &[(&str, By)] = &[
    // README.md: on one machine
    ("cargo run --release -- demo", here("the_demo")), // and, built so, by `tests/full/run release`
    ("tests/run", full("fresh-debian")),               // and by every run of CI
    ("cargo install --path infra/local", full("commands")),
    ("faregate serve", here("the_first_session")),
    ("faregate serve --config faregate.toml", ADMIN),
    (r#"faregate admin limits set group:research total_workers=200 --why "the grant of 2026""#, ADMIN),
    (r#"faregate admin limits set user:alice clusters=2 memory="64 G""#, ADMIN),
    ("faregate admin limits unset user:alice clusters", ADMIN),
    ("faregate admin limits list", ADMIN),
    ("faregate admin explain user:alice", ADMIN),
    (r#"faregate admin freeze user:alice --why "please call us about last night""#, ADMIN),
    ("faregate admin clusters --user alice", ADMIN),
    (r#"faregate admin stop --user alice --why "maintenance""#, ADMIN),
    ("faregate admin usage --month 2026-11 --csv", ADMIN),
    ("faregate admin audit", ADMIN),
    ("faregate admin users add alice", USERS),
    ("faregate admin users passwd alice", USERS),
    ("faregate admin users remove alice", USERS),
    ("faregate admin users list", USERS),
    (
        r#"curl -u alice https://gateway.example/api/v1/tokens -d '{"name": "nightly", "scopes": ["create", "read", "stop"], "expires_in": 7776000}'"#,
        USERS,
    ),
];
