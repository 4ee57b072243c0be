#!/usr/bin/env bash
# Looks whether this machine and the AWS account can deploy the gateway, and says for each thing that is missing what to do. Changes nothing.
#
#   infra/preflight.sh
#
# Run it first, with the credentials and the region that are to deploy. Exit code 0 = go on (what is told as "soon" can follow), 1 = something is missing.
set -uo pipefail
cd "$(dirname "$0")/.."
export AWS_PAGER='' SAM_CLI_TELEMETRY=0

missing=0
fine() { printf 'fine   %s\n' "$*"; }
soon() { printf 'soon   %s\n' "$*"; }
lacking() {
    missing=1
    printf 'MISSING %s\n' "$*"
}

# tool PROGRAM LEAST VERSION-OUTPUT WHAT-TO-DO
tool() {
    local found
    found=$(grep -oE '[0-9]+\.[0-9]+(\.[0-9]+)?' <<<"$3" | head -n 1)
    if [[ -z $found ]]; then
        lacking "$1, $2 or later: $4"
    elif [[ $(printf '%s\n' "$2" "$found" | sort -V | head -n 1) != "$2" ]]; then
        lacking "$1 is $found, and must be $2 or later: $4"
    else
        fine "$1 $found"
    fi
}

# ---- Tools

aws_version=$(aws --version 2>&1 || true)
least=2.11
[[ $aws_version != aws-cli/1.* ]] || least=1.29
tool aws "$least" "$aws_version" 'https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html'
# older ones do not read parameters from a file
tool sam 1.165 "$(sam --version 2>/dev/null || true)" 'https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/install-sam-cli.html'
if [[ -f Cargo.toml ]]; then
    tool cargo "$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)" "$(cargo --version 2>/dev/null || true)" 'https://rustup.rs'
    tool 'cargo lambda' 1.9 "$(cargo lambda --version 2>/dev/null || true)" 'https://www.cargo-lambda.info, or pip install cargo-lambda'
    tool docker 23.0 "$(docker --version 2>/dev/null || true)" 'https://docs.docker.com/engine/install; not needed with Proxy: none or from a release'
else # a release has everything built
    tool skopeo 1.9 "$(skopeo --version 2>/dev/null || true)" 'install your distribution'\''s package skopeo; not needed with Proxy: none'
fi

# ---- The account

if ! identity=$(aws sts get-caller-identity --query Arn --output text 2>&1); then
    lacking "credentials: $(tail -n 1 <<<"$identity"); run aws configure, or aws sso login"
    exit 1
fi
region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region 2>/dev/null || true)}}
if [[ -z $region ]]; then
    lacking 'a region: set AWS_REGION, or run aws configure'
    exit 1
fi
export AWS_REGION=$region AWS_DEFAULT_REGION=$region
fine "$identity in $region"

if [[ $(aws iam list-roles --path-prefix /aws-service-role/ecs.amazonaws.com/ --query 'Roles[0].RoleName' --output text 2>/dev/null) == AWS* ]]; then
    fine "ECS's service-linked role"
else
    lacking "ECS's service-linked role: aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com"
fi

# quota NAME ENOUGH FOUND WHERE WHY
quota() {
    local found=${3%.*}
    if ! [[ $found =~ ^[0-9]+$ ]]; then
        soon "$1: not to be seen with these rights; look at $4"
    elif ((found < $2)); then
        soon "$1: $found. Ask for more at $4: $5"
    else
        fine "$1: $found"
    fi
}
quotas=https://console.aws.amazon.com/servicequotas/home/services
quota 'functions at once (Lambda, Concurrent executions)' 50 \
    "$(aws lambda get-account-settings --query AccountLimit.ConcurrentExecutions --output text 2>/dev/null)" \
    "$quotas/lambda/quotas/L-B99A9384" 'the API shares ten with everything else, and answers 503 when they are used up'
vcpus() { aws service-quotas get-service-quota --service-code fargate --quota-code "$1" --query Quota.Value --output text 2>/dev/null; }
quota 'Fargate On-Demand vCPU' 32 "$(vcpus L-3032A538)" "$quotas/fargate/quotas/L-3032A538" 'more workers than fit into it wait'
quota 'Fargate Spot vCPU' 32 "$(vcpus L-36FBB829)" "$quotas/fargate/quotas/L-36FBB829" 'the same for "fargate_spot"'

# ---- Zones. AWS names those of these regions that have Fargate; everywhere else all have it.

case $region in
    us-west-1) with='usw1-az1 usw1-az3' ;;
    ap-northeast-1) with='apne1-az1 apne1-az2 apne1-az4' ;;
    ca-central-1) with='cac1-az1 cac1-az2' ;;
    cn-north-1) with='cnn1-az1 cnn1-az2' ;;
    *) with='' ;;
esac
zones=$(aws ec2 describe-availability-zones --filters Name=zone-type,Values=availability-zone Name=state,Values=available \
    --query 'sort_by(AvailabilityZones, &ZoneName)[].[ZoneName,ZoneId]' --output text 2>/dev/null)
good=() number=0 first=true
while read -r name id; do
    [[ -n $name ]] || continue
    number=$((number + 1))
    if [[ -z $with || " $with " == *" $id "* ]]; then
        good+=("$name")
    elif ((number <= 3)); then # those that a new VPC takes by itself
        first=false
    fi
done <<<"$zones"
names=$(IFS=,; echo "${good[*]:0:3}")
if ((${#good[@]} == 0)); then
    soon 'zones: not to be seen with these rights'
elif ! $first || ((${#good[@]} < 3)); then
    soon "zones: not each of the first three has Fargate. Unless you give a VPC of your own, set in parameters.yaml: ZoneNames: $names and Zones: $((${#good[@]} < 3 ? ${#good[@]} : 3))"
else
    fine "zones: $names"
fi
exit $missing
