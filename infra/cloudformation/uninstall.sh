#!/usr/bin/env bash
# Takes a stack away, and everything that it made: running clusters, environment files, records, secrets, task definitions.
#
#   infra/cloudformation/uninstall.sh STACK [--yes]
#
# Needs the AWS CLI and the SAM CLI, with the credentials and the region that deployed it. May be run again after a failure.
# It says that the stack is gone only after it has looked: exit code 0 = gone, 1 = a call failed or something is left, 2 = misused.
set -euo pipefail
shopt -s inherit_errexit # a look-up that fails within `$(…)` fails here

stack=${1:-}
if [[ -z $stack || $stack == -* ]]; then
    sed -n '2,7s/^# \{0,1\}//p' "$0"
    exit 2
fi
export AWS_PAGER=''
region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}
if [[ -z $region ]]; then
    echo 'No region: set AWS_REGION.' >&2
    exit 2
fi
export AWS_REGION=$region AWS_DEFAULT_REGION=$region

say() { printf '%s\n' "$*"; }
complain() { printf '%s\n' "$*" >&2; }

errors=$(mktemp)
trap '[[ $? == 0 || -n ${told:-} ]] || complain "Not finished: a call failed. Run this again: what is gone already is passed over."; rm -f "$errors"' EXIT

# Runs a command. When it fails with an answer that matches the pattern, what it asks for does not exist: no output, success. Any other
# failure (no right, no network, throttling) is one.
absent() {
    local pattern=$1 answer code=0
    shift
    answer=$("$@" 2>"$errors") || code=$?
    if ((code == 0)); then
        [[ -z $answer ]] || printf '%s\n' "$answer"
    elif ! grep -qE "$pattern" "$errors"; then
        cat "$errors" >&2
        complain "\`$1 $2 ${3:-}\` failed: whether it is gone is not known."
        return 1
    fi
}

# Lines of a text output, without the word that an empty one is.
lines() { tr '\t' '\n' | sed '/^\(None\)\{0,1\}$/d'; }

# The status of a stack; nothing where there is none.
status_of() {
    absent 'ValidationError.*does not exist' aws cloudformation describe-stacks --stack-name "$1" \
        --query 'Stacks[0].StackStatus' --output text
}

# The physical id of a resource of a stack; nothing if it is not there.
resource() {
    local found
    found=$(absent 'ValidationError.*does not exist' aws cloudformation describe-stack-resources --stack-name "$1" \
        --query "StackResources[?LogicalResourceId=='$2' && ResourceStatus!='DELETE_COMPLETE'].PhysicalResourceId | [0]" --output text)
    lines <<<"$found"
}

aws sts get-caller-identity >/dev/null # with no or old credentials nothing can be looked up
status=$(status_of "$stack")
exists=true
if [[ -z $status ]]; then
    say "There is no stack \`$stack\` in $region. What a stack of this name may have left is looked for all the same."
    exists=false
fi

if [[ ${2:-} != --yes ]]; then
    read -rp "Delete \`$stack\` in $region, with every cluster that runs and every record? Type its name: " answer
    [[ $answer == "$stack" ]] || { told=yes; say 'Nothing was done.'; exit 1; }
fi

# Looked up before they are gone.
cluster='' secrets=''
if $exists; then
    cluster=$(resource "$stack" Cluster)
    secrets=$(resource "$stack" KeyRing; resource "$stack" SignInSecret)

    # Nobody starts another task: the reconciler alone does, and it may not run again. Its last run ends within a minute.
    reconciler=$(resource "$stack" ReconcileFunction)
    if [[ -n $reconciler ]]; then
        say 'Holding the reconciler …'
        absent ResourceNotFoundException aws lambda put-function-concurrency --function-name "$reconciler" \
            --reserved-concurrent-executions 0 >/dev/null
        sleep "${FAREGATE_UNINSTALL_WAIT:-65}"
    fi
fi

if [[ -n $cluster ]]; then
    while :; do
        # A hundred are what one call describes, so also what one wait is for.
        tasks=$(absent ClusterNotFoundException aws ecs list-tasks --cluster "$cluster" --desired-status RUNNING --max-items 100 \
            --query 'taskArns[]' --output text)
        tasks=$(lines <<<"$tasks")
        [[ -n $tasks ]] || break
        say "Stopping $(wc -l <<<"$tasks" | tr -d ' ') tasks …"
        for task in $tasks; do
            # one that has ended meanwhile is no failure
            absent InvalidParameterException aws ecs stop-task --cluster "$cluster" --task "$task" \
                --reason 'The gateway is being uninstalled' >/dev/null
        done
        # shellcheck disable=SC2086 # one word a task
        aws ecs wait tasks-stopped --cluster "$cluster" --tasks $tasks
    done
fi

if $exists; then
    bucket=$(resource "$stack" EnvironmentFiles)
    if [[ -n $bucket ]]; then
        say 'Emptying the bucket of environment files …'
        absent NoSuchBucket aws s3 rm "s3://$bucket" --recursive --only-show-errors
    fi

    say 'Taking the protection off the tables …'
    for logical in Table AuditTable; do
        table=$(resource "$stack" "$logical")
        [[ -z $table ]] || absent ResourceNotFoundException aws dynamodb update-table --table-name "$table" \
            --no-deletion-protection-enabled >/dev/null
    done

    # Without this the proxy's tasks would keep their connections, and the stack its proxy, for an hour.
    proxy=$(resource "$stack" ProxyService)
    if [[ -n $proxy ]]; then
        for target in RelayTargets DashboardTargets; do
            arn=$(resource "$proxy" "$target")
            [[ -z $arn ]] || absent TargetGroupNotFound aws elbv2 modify-target-group-attributes --target-group-arn "$arn" \
                --attributes Key=deregistration_delay.timeout_seconds,Value=0 >/dev/null
        done
    fi

    say 'Deleting the stack. Lambda gives its network interfaces back slowly: this may take half an hour …'
    # SAM also takes back what it uploaded, a few MB; where it cannot, the stack goes all the same.
    if ! sam delete --stack-name "$stack" --region "$region" --no-prompts; then
        say 'What SAM uploaded could not be taken back; it stays in the bucket that is named below.'
        aws cloudformation delete-stack --stack-name "$stack"
        aws cloudformation wait stack-delete-complete --stack-name "$stack"
    fi
fi

# What no stack holds: task definitions that the reconciler registered, and secrets within their time of grace.
for status in ACTIVE INACTIVE; do
    families=$(aws ecs list-task-definition-families --family-prefix "$stack-" --status $status --query 'families[]' --output text)
    families=$(lines <<<"$families" | sed -nE "/^$stack-(proxy|(x86_64|arm64)-[0-9a-f]{32})\$/p")
    for family in $families; do
        definitions=$(aws ecs list-task-definitions --family-prefix "$family" --status $status --query 'taskDefinitionArns[]' --output text)
        for definition in $(lines <<<"$definitions"); do
            [[ $status == INACTIVE ]] || aws ecs deregister-task-definition --task-definition "$definition" >/dev/null
            aws ecs delete-task-definitions --task-definitions "$definition" >/dev/null
        done
    done
done
for secret in $secrets; do
    absent ResourceNotFoundException aws secretsmanager delete-secret --secret-id "$secret" --force-delete-without-recovery >/dev/null
done

# Looked for once more: that it was told to go is no proof.
status=$(status_of "$stack")
if [[ -n $status && $status != DELETE_COMPLETE ]]; then
    told=yes
    complain "\`$stack\` is not gone: its status is $status. The events of the stack say why; run this again after that."
    exit 1
fi
say "\`$stack\` is gone."

# SAM's own stack serves every stack of the account and region that it deploys, so it stays.
shared=aws-sam-cli-managed-default
status=$(status_of $shared)
if [[ -n $status && $status != DELETE_COMPLETE ]]; then
    bucket=$(resource $shared SamCliSourceBucket)
    say "The bucket \`${bucket:-of the stack $shared}\` stays: SAM made it, in the stack \`$shared\`, for all that it deploys in this region."
    say 'If nothing else is deployed with SAM here, this removes it, with all versions of what is in it:'
    say "    sam delete --stack-name $shared --region $region"
fi
