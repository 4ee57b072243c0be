#!/usr/bin/env bash
# Runs a session of the official client against a deployed stack, and prints what is known on AWS alone (headers, filters, times, the ends of
# tasks) as Markdown, to be pasted into a report. No secret is in it. It costs a few cents.
#
#   infra/verify.sh STACK [--throttle]
#
# Needs the AWS CLI with an administrator's credentials, and Python with dask-gateway and dask of the versions in the image; PYTHON names it.
# Signs in by `basic`, as FAREGATE_USER with FAREGATE_PASSWORD; without these as `verify` with the password that all share.
# --throttle lets the API run nothing for some seconds, to see what callers get then.
set -euo pipefail
if [[ -z ${1:-} || $1 == -* ]]; then
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit 2
fi
python=${PYTHON:-python3}
"$python" -c 'import dask_gateway' 2>/dev/null || {
    echo "verify.sh: \`$python\` has no dask-gateway: pip install dask-gateway==2026.3.0 \"dask[distributed]==2026.3.0\"" >&2
    exit 2
}
export AWS_PAGER='' AWS_DEFAULT_OUTPUT=json
exec "$python" -u - "$@" <<'EOF'
import datetime, http.client, json, os, subprocess, sys, time, urllib.parse

stack, throttle = sys.argv[1], "--throttle" in sys.argv


def aws(*words):
    """A call's answer, or the error's last line."""
    done = subprocess.run(["aws", *words], capture_output=True, text=True)
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or ["no message"])[-1]
    return json.loads(done.stdout or "null"), None


def must(*words):
    answer, error = aws(*words)
    if error:
        sys.exit(f"verify.sh: aws {' '.join(words[:2])}: {error}")
    return answer


def fact(name, value):
    print(f"| {name} | {str(value).replace('|', '/')} |")


def part(name):
    print(f"\n## {name}\n\n| fact | seen |\n|---|---|")


def ask(url, **headers):
    where = urllib.parse.urlsplit(url)
    kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    connection = kind(where.netloc, timeout=60)
    connection.request("GET", where.path, headers=headers)
    answer = connection.getresponse()
    body = answer.read(2000).decode(errors="replace")
    return answer.status, answer.getheaders(), body


def told(url, **headers):
    status, names, body = ask(url, **headers)
    auth = [f"{name}: {value}" for name, value in names if "authenticate" in name.lower()]
    others = [name for name, _ in names if name.lower().startswith(("x-amz", "apigw"))]
    return f"{status}; {'; '.join(auth) or 'no header that asks for sign-in'}; also {', '.join(others) or 'nothing of AWS'}; body: {' '.join(body.split())[:120]}"


outputs = {o["OutputKey"]: o["OutputValue"] for o in must("cloudformation", "describe-stacks", "--stack-name", stack)["Stacks"][0]["Outputs"]}
resources = must("cloudformation", "describe-stack-resources", "--stack-name", stack)["StackResources"]
physical = {r["LogicalResourceId"]: r.get("PhysicalResourceId") for r in resources}
api, ecs = outputs["ApiUrl"], outputs["Cluster"]
relay = next(line.split()[1] for line in outputs["GatewayYaml"].splitlines() if line.strip().startswith("proxy-address:"))
relay = os.environ.get("DASK_GATEWAY__PROXY_ADDRESS", relay)
user, password = os.environ.get("FAREGATE_USER", "verify"), os.environ.get("FAREGATE_PASSWORD")
if not password:
    secret = must("secretsmanager", "get-secret-value", "--secret-id", outputs["SignInSecret"])["SecretString"]
    password = json.loads(secret)["password"]

print(f"# `{stack}`, {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC")
part("Where")
import dask, dask_gateway

region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or subprocess.run(["aws", "configure", "get", "region"], capture_output=True, text=True).stdout.strip()
fact("region", region)
fact("client", f"dask-gateway {dask_gateway.__version__}, dask {dask.__version__}, Python {sys.version.split()[0]}")
limit, error = aws("lambda", "get-account-settings", "--query", "AccountLimit.ConcurrentExecutions")
fact("functions at once", error or limit)
for name in ("ApiFunction", "RelayFunction"):
    about, error = aws("lambda", "get-function-configuration", "--function-name", physical[name])
    fact(name, error or f"{about.get('Architectures')}, {about.get('State')}, {about.get('LastUpdateStatus')}")

part("Answers without sign-in")
fact("client", told(f"{api}/api/v1/clusters/"))
fact("browser", told(f"{api}/api/v1/clusters/", Accept="text/html"))
fact("wrong password", told(f"{api}/api/v1/clusters/", Authorization="Basic bm9ib2R5Om5v"))
fact("no such path", told(f"{api}/nothing/here"))
fact("health", told(f"{api}/api/health"))

from dask_gateway import BasicAuth, Gateway

part("A session")
gateway = Gateway(api, proxy_address=relay, auth=BasicAuth(user, password))
begun = time.monotonic()
cluster = gateway.new_cluster()
name = cluster.name
stopped = []
try:
    fact("scheduler runs after", f"{time.monotonic() - begun:.1f} s")
    begun = time.monotonic()
    cluster.scale(2)
    client = cluster.get_client()
    fact("client connected after", f"{time.monotonic() - begun:.1f} s")
    client.wait_for_workers(2, timeout=1800)
    fact("two workers after", f"{time.monotonic() - begun:.1f} s")
    begun = time.monotonic()
    assert client.submit(sum, range(1000)).result(timeout=300) == 499500
    fact("a task took", f"{(time.monotonic() - begun) * 1000:.0f} ms")
    begun = time.monotonic()
    gateway.list_clusters()
    fact("a request took", f"{(time.monotonic() - begun) * 1000:.0f} ms")

    part("ListTasks")

    def listed(what, *filters):
        found, error = aws("ecs", "list-tasks", "--cluster", ecs, *filters, "--query", "taskArns")
        fact(what, error or f"{len(found)} tasks")
        return found or []

    running = listed("startedBy", "--started-by", f"{name}-000001") + listed("startedBy, of the workers", "--started-by", f"{name}-000002")
    listed("startedBy and desiredStatus RUNNING", "--started-by", f"{name}-000001", "--desired-status", "RUNNING")
    listed("startedBy and desiredStatus STOPPED", "--started-by", f"{name}-000001", "--desired-status", "STOPPED")
    tasks = must("ecs", "describe-tasks", "--cluster", ecs, "--tasks", *running)["tasks"] if running else []
    family = tasks[0]["taskDefinitionArn"].rsplit("/", 1)[1].split(":")[0] if tasks else "none"
    listed("family and desiredStatus RUNNING", "--family", family, "--desired-status", "RUNNING")
    listed("family and startedBy", "--family", family, "--started-by", f"{name}-000001")

    part("Starts")

    def moment(text):
        if isinstance(text, (int, float)):
            return float(text)
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else None

    def times(task, names):
        seen = [(n.removesuffix("At"), moment(task.get(n))) for n in names]
        first = seen[0][1]
        return ", ".join(f"{n} +{at - first:.1f} s" if at and first else f"{n} –" for n, at in seen)

    for task in tasks:
        what = f"{task.get('startedBy', '')[-1:]}: {task.get('cpu')} CPU, {task.get('memory')} MiB, {task.get('capacityProviderName') or task.get('launchType')}, "
        what += f"{task.get('platformVersion')}, {task.get('availabilityZone')}"
        fact(what, times(task, ["createdAt", "connectivityAt", "pullStartedAt", "pullStoppedAt", "startedAt"]))
finally:
    begun = time.monotonic()
    cluster.shutdown()

part("Ends")
deadline = time.monotonic() + 600
while running and time.monotonic() < deadline:
    stopped = must("ecs", "describe-tasks", "--cluster", ecs, "--tasks", *running)["tasks"]
    if all(task["lastStatus"] == "STOPPED" for task in stopped):
        break
    time.sleep(2)
fact("all tasks stopped after", f"{time.monotonic() - begun:.1f} s")
for task in stopped:
    containers = "; ".join(f"exit code {c.get('exitCode')}, {c.get('reason') or 'no reason'}" for c in task.get("containers", []))
    ended = times(task, ["startedAt", "stoppingAt", "executionStoppedAt", "stoppedAt"])
    fact(f"{task.get('startedBy', '')[-1:]}: {task.get('stopCode')}, {task.get('stoppedReason')}", f"{containers}; {ended}")
found, error = aws("ecs", "list-tasks", "--cluster", ecs, "--family", family, "--desired-status", "STOPPED", "--query", "taskArns")
fact("ListTasks: family and desiredStatus STOPPED", error or f"{len(found)} tasks")
found, error = aws("ecs", "list-tasks", "--cluster", ecs, "--started-by", f"{name}-000001", "--desired-status", "STOPPED", "--query", "taskArns")
fact("ListTasks: startedBy and desiredStatus STOPPED", error or f"{len(found)} tasks")
report = None
while report is None or report.status.name not in ("STOPPED", "FAILED") and time.monotonic() < deadline:
    report = next((r for r in gateway.list_clusters(status=["RUNNING", "STOPPING", "STOPPED", "FAILED"]) if r.name == name), None)
    if report is None or report.status.name not in ("STOPPED", "FAILED"):
        time.sleep(2)
fact("the gateway says", f"{report.status.name} after {time.monotonic() - begun:.1f} s")

if physical.get("ProxyService"):
    part("The proxy")
    services, error = aws("ecs", "describe-services", "--cluster", f"{stack}-proxy", "--services", f"{stack}-proxy")
    for service in (services or {}).get("services", []):
        fact("service", f"{service.get('runningCount')} of {service.get('desiredCount')}, zone rebalancing {service.get('availabilityZoneRebalancing')}")
        for event in service.get("events", [])[:3]:
            fact("event", event["message"])
    if error:
        fact("service", error)

if throttle:
    part("An API that may not run")
    must("lambda", "put-function-concurrency", "--function-name", physical["ApiFunction"], "--reserved-concurrent-executions", "0")
    try:
        time.sleep(5)
        fact("client", told(f"{api}/api/v1/clusters/"))
    finally:
        must("lambda", "delete-function-concurrency", "--function-name", physical["ApiFunction"])
gateway.close()
EOF
