"""Two stacks in one account, whose names begin alike: no role of one may touch what is the other's. Run in the workspace's root."""

import re

from evaluated import ACCOUNT, REGION, deployed, policies

PAIRS = [("faregate", "faregate-prod"), ("faregate", "faregate-x86_64"), ("faregate", "faregate-arm64-2"), ("dask", "dask-api"), ("a", "a-b")]
# What an action has no narrower resource for, or an administrator means to be for all: (role, action) and why.
FOR_ALL = {
    ("ReconcileRole", "ecs:ListTasks"): "on condition of the cluster",
    ("ReconcileRole", "ecs:DescribeTaskDefinition"): "it has no resource; a definition says what anybody in the account may read",
    ("ApiRole", "secretsmanager:BatchGetSecretValue"): "it has no resource, and gives nothing without the right to the secret",
    ("RelayRole", "ec2:*"): "Lambda places the function into the VPC; the function's own code may not",
    ("ExecutionRole", "ecr:*"): "images, which anybody who deploys may name",
    ("ProxyService/ExecutionRole", "ecr:*"): "images, which anybody who deploys may name",
}


def listed(value):
    return value if isinstance(value, list) else [value]


def matches(pattern, text):
    """IAM's: `*` is any characters, `?` is one."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text, re.DOTALL)


def everything(stack):
    """ARNs of what a stack has: what it is made of, and what the gateway makes when it runs."""
    prefix = f"{REGION}:{ACCOUNT}"
    for _, resource in stack.every():
        if arn := resource["arn"]:
            yield arn
            yield {"AWS::DynamoDB::Table": f"{arn}/index/active", "AWS::S3::Bucket": f"{arn}/clusters/x.env"}.get(resource["type"], arn)
            if resource["type"] == "AWS::Logs::LogGroup":
                yield arn.removesuffix("*") + "log-stream:x"
            if resource["type"] == "AWS::ECS::Cluster":
                yield f"arn:aws:ecs:{prefix}:task/{resource['name']}/0123456789abcdef0123456789abcdef"
    for architecture in ("x86_64", "arm64"):
        family = f"arn:aws:ecs:{prefix}:task-definition/{stack.name}-{architecture}-0123456789abcdef0123456789abcdef"
        yield from (family, f"{family}:1", f"{family}:17")


def statements(stack):
    for role, _, document in policies(stack):
        for statement in document["Statement"]:
            if statement["Effect"] == "Allow":
                for action in listed(statement["Action"]):
                    if not any(role == r and matches(a, action) for r, a in FOR_ALL):
                        yield role, action, listed(statement["Resource"])


def touched(one, other):
    theirs = set(everything(other))
    for role, action, resources in statements(one):
        service = action.split(":")[0]
        for pattern in resources:
            for arn in theirs:
                if arn.split(":")[2] == service and matches(pattern, arn):
                    yield f"{role} of `{one.name}` may {action} on {arn} of `{other.name}`"


def own(stack):
    """Each pattern is good for something of its own, so that the patterns above are no dead letters."""
    mine = set(everything(stack))
    for role, action, resources in statements(stack):
        for pattern in resources:
            if not any(matches(pattern, arn) for arn in mine):
                yield f"{role} of `{stack.name}` may {action} on {pattern}, which is nothing of its own"


wrong = []
for names in PAIRS:
    one, other = (deployed(name) for name in names)
    wrong += [*touched(one, other), *touched(other, one), *own(one), *own(other)]
    print(f"{one.name} and {other.name}: {len(list(statements(one)))} rights")
assert not wrong, "\n".join(wrong[:20])
