#!/usr/bin/env bash
# Takes a stack away, and everything that it made: running clusters, environment files, records, secrets, task definitions.
#
#   infra/uninstall.sh STACK [--yes]
#
# Needs the AWS CLI and the SAM CLI, with the credentials and the region that deployed it. May be run again after a failure.
set -euo pipefail

stack=${1:-}
if [[ -z $stack || $stack == -* ]]; then
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit 2
fi
export AWS_PAGER=''
region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}
[[ -n $region ]] || { echo 'No region: set AWS_REGION.' >&2; exit 2; }
export AWS_REGION=$region AWS_DEFAULT_REGION=$region

say() { printf '%s\n' "$*"; }

# The physical id of a resource of a stack; nothing if it is not there.
resource() {
    aws cloudformation describe-stack-resources --stack-name "$1" \
        --query "StackResources[?LogicalResourceId=='$2' && ResourceStatus!='DELETE_COMPLETE'].PhysicalResourceId | [0]" \
        --output text 2>/dev/null | grep -v '^None$' || true
}

# Lines of a text output, without the word that an empty one is.
lines() { tr '\t' '\n' | grep -v '^\(None\)\{0,1\}$' || true; }

aws sts get-caller-identity >/dev/null # with no or old credentials, everything would look gone
if ! aws cloudformation describe-stacks --stack-name "$stack" >/dev/null 2>&1; then
    say "There is no stack \`$stack\` in $region. What a stack of this name may have left is looked for all the same."
    exists=false
else
    exists=true
fi

if [[ ${2:-} != --yes ]]; then
    read -rp "Delete \`$stack\` in $region, with every cluster that runs and every record? Type its name: " answer
    [[ $answer == "$stack" ]] || { say 'Nothing was done.'; exit 1; }
fi

# Looked up before they are gone.
cluster='' secrets=''
if $exists; then
    cluster=$(resource "$stack" Cluster)
    secrets="$(resource "$stack" KeyRing) $(resource "$stack" SignInSecret)"

    # Nobody starts another task: the reconciler alone does, and it may not run again. Its last run ends within a minute.
    reconciler=$(resource "$stack" ReconcileFunction)
    if [[ -n $reconciler ]]; then
        say 'Holding the reconciler …'
        aws lambda put-function-concurrency --function-name "$reconciler" --reserved-concurrent-executions 0 >/dev/null
        sleep "${FAREGATE_UNINSTALL_WAIT:-65}"
    fi
fi

if [[ -n $cluster ]]; then
    while :; do
        # A hundred are what one call describes, so also what one wait is for.
        tasks=$(aws ecs list-tasks --cluster "$cluster" --desired-status RUNNING --max-items 100 \
            --query 'taskArns[]' --output text | lines)
        [[ -n $tasks ]] || break
        say "Stopping $(wc -l <<<"$tasks" | tr -d ' ') tasks …"
        for task in $tasks; do
            aws ecs stop-task --cluster "$cluster" --task "$task" --reason 'The gateway is being uninstalled' >/dev/null
        done
        # shellcheck disable=SC2086 # one word a task
        aws ecs wait tasks-stopped --cluster "$cluster" --tasks $tasks
    done
fi

if $exists; then
    bucket=$(resource "$stack" EnvironmentFiles)
    if [[ -n $bucket ]]; then
        say 'Emptying the bucket of environment files …'
        aws s3 rm "s3://$bucket" --recursive --only-show-errors
    fi

    say 'Taking the protection off the tables …'
    for logical in Table AuditTable; do
        table=$(resource "$stack" "$logical")
        [[ -z $table ]] || aws dynamodb update-table --table-name "$table" --no-deletion-protection-enabled >/dev/null
    done

    # Without this the proxy's tasks would keep their connections, and the stack its proxy, for an hour.
    proxy=$(resource "$stack" ProxyService)
    if [[ -n $proxy ]]; then
        for target in RelayTargets DashboardTargets; do
            arn=$(resource "$proxy" "$target")
            [[ -z $arn ]] || aws elbv2 modify-target-group-attributes --target-group-arn "$arn" \
                --attributes Key=deregistration_delay.timeout_seconds,Value=0 >/dev/null
        done
    fi

    say 'Deleting the stack. Lambda gives its network interfaces back slowly: this may take half an hour …'
    # SAM also takes back what it uploaded, a few MB; where it cannot, the stack goes all the same.
    if ! sam delete --stack-name "$stack" --region "$region" --no-prompts; then
        say 'What SAM uploaded could not be taken back; it stays in the bucket `aws-sam-cli-managed-default-…`.'
        aws cloudformation delete-stack --stack-name "$stack"
        aws cloudformation wait stack-delete-complete --stack-name "$stack"
    fi
fi

# What no stack holds: task definitions that the reconciler registered, and secrets within their time of grace.
for status in ACTIVE INACTIVE; do
    families=$(aws ecs list-task-definition-families --family-prefix "$stack-" --status $status --query 'families[]' --output text |
        lines | grep -E "^$stack-(proxy|(x86_64|arm64)-[0-9a-f]{32})\$" || true)
    for family in $families; do
        for definition in $(aws ecs list-task-definitions --family-prefix "$family" --status $status \
            --query 'taskDefinitionArns[]' --output text | lines); do
            [[ $status == INACTIVE ]] || aws ecs deregister-task-definition --task-definition "$definition" >/dev/null
            aws ecs delete-task-definitions --task-definitions "$definition" >/dev/null
        done
    done
done
for secret in $secrets; do
    aws secretsmanager delete-secret --secret-id "$secret" --force-delete-without-recovery >/dev/null 2>&1 || true
done

say "\`$stack\` is gone."
