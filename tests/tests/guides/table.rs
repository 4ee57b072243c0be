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
const GUESSES: By = By::Test {
    file: "tests/tests/admin_cli/users.rs",
    name: "whoever_is_removed_or_revoked_leaves_nothing_running_and_guesses_are_seen",
};
const KDC: By = By::Test {
    file: "tests/peers/tests/kerberos.rs",
    name: "the_official_client_signs_in_with_a_ticket_when_the_kdc_is_gone",
};
const ACCOUNT: By = aws("an_account_is_prepared_and_a_deployment_looked_at");
const SMALL: By = aws("the_proxys_service_is_shrunk_and_a_key_made");
const DEPLOYED: By = By::Test {
    file: "tests/aws/tests/stacks/second_deployments.rs",
    name: "a_cluster_computes_through_deployments_and_the_stack_goes_by_the_guide",
};
const UNINSTALLED: By = By::Test {
    file: "tests/aws/tests/uninstall.rs",
    name: "a_stack_is_gone_when_that_was_seen_and_not_when_a_call_failed",
};

/// Every command once, save those of docs/systemd.md, which are run in a machine (`tests/full/run vm`).
pub const TABLE: &[(&str, By)] = &[
    // README.md
    ("cargo run --release -- demo", here("the_demo")), // and, built so, by `tests/full/run release`
    ("tests/run", full("fresh-debian")),               // and by every run of CI
    ("cargo install --path infra/cli", full("commands")),
    ("faregate serve", here("the_first_session")),
    (r#"pip install dask-gateway==2026.3.0 "dask[distributed]==2026.3.0""#, full("commands")),
    // docs/one-machine.md
    ("faregate serve --config faregate.toml", ADMIN),
    // docs/quotas-and-budgets.md
    (r#"faregate admin limits set group:research total_workers=200 --why "the grant of 2026""#, ADMIN),
    (r#"faregate admin limits set user:alice clusters=2 memory="64 G""#, ADMIN),
    ("faregate admin limits unset user:alice clusters", ADMIN),
    ("faregate admin limits list", ADMIN),
    ("faregate admin explain user:alice", ADMIN),
    (r#"faregate admin freeze user:alice --why "please call us about last night""#, ADMIN),
    ("faregate admin clusters --user alice", ADMIN),
    (r#"faregate admin stop --user alice --why "maintenance""#, ADMIN),
    ("faregate admin usage --month 2026-11 --csv", ADMIN),
    ("faregate admin blocks list", ADMIN),
    ("faregate admin audit", ADMIN),
    ("cargo install --path infra/cli --features dynamodb", full("commands")),
    // docs/failed-sign-ins.md
    (r#"faregate admin blocks lift --user alice --why "she called""#, GUESSES),
    ("faregate admin blocks lift --peer 192.0.2.7", GUESSES),
    // docs/sign-in.md
    ("faregate admin users add alice", USERS),
    ("faregate admin users passwd alice", USERS),
    ("faregate admin users remove alice", USERS),
    ("faregate admin users list", USERS),
    (r#"kadmin -q "addprinc -randkey HTTP/gateway.example.com""#, KDC),
    (r#"kadmin -q "ktadd -k http.keytab HTTP/gateway.example.com""#, KDC),
    ("curl --negotiate -u :", KDC),
    (
        "ipa service-mod --pac-type=NONE HTTP/…",
        By::Nobody { why: "needs a FreeIPA server, which Debian does not have" },
    ),
    ("curl -si https://…/api/v1/clusters/ | grep -i authenticate", By::Nobody { why: "asks AWS's own API Gateway" }),
    // docs/users.md
    (
        r#"curl -u alice https://gateway.example/api/v1/tokens -d '{"name": "nightly", "scopes": ["create", "read", "stop"], "expires_in": 7776000}'"#,
        USERS,
    ),
    // docs/aws.md
    ("cargo run -p faregate-aws-tests --bin offline-stack", aws("the_offline_stack_ends_by_enter_and_leaves_nothing")),
    ("aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com", ACCOUNT),
    (
        "account=$(aws sts get-caller-identity --query Account --output text) region=$(aws configure get region)",
        ACCOUNT,
    ),
    ("registry=$account.dkr.ecr.$region.amazonaws.com", ACCOUNT),
    ("aws ecr create-repository --repository-name faregate-proxy", ACCOUNT),
    ("aws ecr get-login-password | docker login --username AWS --password-stdin $registry", ACCOUNT),
    (
        "docker buildx build --platform linux/amd64 --file infra/images/proxy/Dockerfile --tag $registry/faregate-proxy:1 --push .",
        ACCOUNT,
    ),
    ("cargo build --release -p faregate-cli", full("release")),
    ("faregate admin settings check parameters.yaml", here("the_settings_of_a_deployment")),
    ("sam build", full("commands")),
    ("infra/preflight.sh", aws("a_newcomer_is_told_what_is_missing")),
    ("sam deploy --stack-name dask-physics --parameter-overrides file://physics.yaml", DEPLOYED), // by another name and file
    ("sam deploy --template-file template-x86_64.yaml", DEPLOYED),                                // as `template.yaml`
    (
        r#"aws cloudformation describe-stacks --stack-name faregate --output text --query "Stacks[0].Outputs[?OutputKey=='Snippet'].OutputValue""#,
        ACCOUNT,
    ),
    ("infra/verify.sh faregate", DEPLOYED),
    (
        r#"table=$(aws cloudformation describe-stacks --stack-name faregate --output text --query "Stacks[0].Outputs[?OutputKey=='Table'].OutputValue")"#,
        DEPLOYED,
    ),
    (
        "aws lambda put-function-concurrency --function-name faregate-reconcile --reserved-concurrent-executions 0",
        DEPLOYED,
    ),
    (
        "aws dynamodb restore-table-to-point-in-time --source-table-name $table --target-table-name $table-restored --use-latest-restorable-time",
        DEPLOYED,
    ),
    ("aws dynamodb wait table-exists --table-name $table-restored", DEPLOYED),
    ("infra/cloudformation/restore.sh $table-restored $table", DEPLOYED),
    ("aws lambda delete-function-concurrency --function-name faregate-reconcile", DEPLOYED),
    ("aws dynamodb delete-table --table-name $table-restored", DEPLOYED),
    ("sam deploy", DEPLOYED),
    ("aws ecs update-service --cluster faregate-proxy --service faregate-proxy --desired-count 1", SMALL),
    ("infra/cloudformation/uninstall.sh faregate", UNINSTALLED),
    // docs/install.md; what it has in common with docs/aws.md is there
    ("sha256sum --check --quiet SHA256SUMS", full("dist")),
    ("pip install faregate", full("dist")),
    ("faregate demo", full("dist")),
    ("pip install --no-index --find-links . faregate", full("dist")),
    ("uvx faregate demo", full("dist")),
    ("apt install ./faregate_*_amd64.deb", full("dist")),
    ("aws ecr get-login-password | skopeo login --username AWS --password-stdin $registry", full("dist")),
    (
        "skopeo copy oci-archive:$(echo faregate-proxy-*-amd64.oci.tar) docker://$registry/faregate-proxy:1",
        full("dist"),
    ),
    ("infra/release.sh", full("dist")),
    // docs/key-rotation.md
    ("openssl rand -base64 32", SMALL),
    (
        r#"ring=$(aws cloudformation describe-stacks --stack-name faregate --output text --query "Stacks[0].Outputs[?OutputKey=='KeyRingSecret'].OutputValue")"#,
        DEPLOYED,
    ),
    ("aws secretsmanager get-secret-value --secret-id $ring --query SecretString --output text > ring.json", DEPLOYED),
    ("aws secretsmanager put-secret-value --secret-id $ring --secret-string file://ring.json", DEPLOYED),
    ("rm ring.json", DEPLOYED),
    // docs/measure.md
    ("cargo run --release -p faregate-benches --bin bench", bench("bench")),
    ("cargo run -p faregate-aws-tests --bin start-up", aws("start_up")),
    ("cargo run --release -p faregate-benches --bin enforcement-bench", bench("enforcement_bench")),
    ("cargo run --release -p faregate-aws-tests --bin aws-bench", aws("aws_bench")),
];
