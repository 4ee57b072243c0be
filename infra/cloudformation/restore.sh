#!/usr/bin/env bash
# Copies from a restored table into the stack's own what is not there; what is there stays as it is. May be run again.
#
#   infra/cloudformation/restore.sh FROM TO
#
# Needs the AWS CLI and Python 3, with an administrator's credentials. Writes some ten items a second.
set -euo pipefail
if [[ $# != 2 || $1 == -* ]]; then
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit 2
fi
export AWS_PAGER='' AWS_DEFAULT_OUTPUT=json
exec python3 -u - "$@" <<'EOF'
import concurrent.futures, json, subprocess, sys

source, target = sys.argv[1:]


def aws(*words):
    return subprocess.run(["aws", "dynamodb", *words], capture_output=True, text=True)


def copied(item):
    """Whether it was not there."""
    done = aws("put-item", "--table-name", target, "--item", json.dumps(item), "--condition-expression", "attribute_not_exists(pk)")
    if done.returncode and "ConditionalCheckFailedException" not in done.stderr:
        sys.exit(f"restore.sh: {done.stderr.strip()}")
    return not done.returncode


copies, seen, more = 0, 0, []
with concurrent.futures.ThreadPoolExecutor(8) as threads:
    while True:
        page = aws("scan", "--table-name", source, "--consistent-read", "--max-items", "1000", *more)
        if page.returncode:
            sys.exit(f"restore.sh: {page.stderr.strip()}")
        page = json.loads(page.stdout)
        copies += sum(threads.map(copied, page["Items"]))
        seen += len(page["Items"])
        if "NextToken" not in page:
            break
        more = ["--starting-token", page["NextToken"]]
print(f"{copies} of {seen} items were not in {target}, and are now")
EOF
