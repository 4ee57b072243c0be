"""What checkov, parliament and cloudsplaining find in the templates and the roles, and why it is so: (finding, where, reason).

`findings.py` fails of whatever is found and not in here, and of whatever is in here and not found.
"""

FUNCTIONS = ["ApiFunction", "ReconcileFunction", "TaskEventsFunction", "EnforceFunction", "RelayFunction"]
QUEUES = ["Wakes", "WakesDead", "Events", "EventsDead"]
LOGS = ["ApiLogs", "ReconcileLogs", "TaskEventsLogs", "EnforceLogs", "RelayLogs", "ApiAccessLogs", "TaskLogs", "Logs"]
OWN_KEY = "AWS encrypts it with a key of its own; one of the stack's costs $1 a month and guards against nobody who reads with a role's rights"

CHECKOV = [
    (
        "CKV_AWS_116",  # a dead-letter queue of the function
        FUNCTIONS,
        "it is for asynchronous calls: the readers' queues have theirs, an enforcement run that fails is not repeated, callers of the others get the error",
    ),
    (
        "CKV_AWS_117",  # in a VPC
        [f for f in FUNCTIONS if f != "RelayFunction"],
        "they call AWS alone, and in a VPC would need a NAT or endpoints, priced by the hour; the one that calls schedulers is in it",
    ),
    (
        "CKV_AWS_115",  # reserved concurrency
        FUNCTIONS,
        "AWS refuses any reservation in an account of ten; the readers are bound by their mappings, the API by its rate, the rest by who calls them",
    ),
    ("CKV_AWS_173", FUNCTIONS, f"no secret is in a function's environment; {OWN_KEY}"),
    ("CKV_AWS_119", ["Table", "AuditTable"], f"private keys in it are sealed with the key ring; {OWN_KEY}"),
    ("CKV_AWS_27", QUEUES, f"SqsManagedSseEnabled is set, which checkov does not look at; {OWN_KEY}"),
    ("CKV_AWS_149", ["KeyRing", "SignInSecret"], OWN_KEY),
    ("CKV_AWS_18", ["EnvironmentFiles"], "the policy lets one role read and one write, and CloudTrail can record who does; logs would need a second bucket"),
    ("CKV_AWS_21", ["EnvironmentFiles"], "versions would keep the credentials of clusters that are gone"),
    ("CKV_AWS_65", ["Cluster", "ProxyService/Cluster"], "Container Insights are charged by the metric and task; an account's setting turns them on"),
    ("CKV_AWS_111", ["RelayRole"], "Lambda places the function into the VPC with this right; a second statement takes it from the function's own code"),
    ("CKV_AWS_158", [("ProxyService/" if name == "Logs" else "") + name for name in LOGS], OWN_KEY),
    ("CKV_AWS_260", ["Network/LoadBalancer"], "port 80 has a listener only where the load balancer is internal; ClientCidr narrows the range"),
    ("CKV_AWS_91", ["ProxyService/LoadBalancer"], "LoadBalancerLogBucket turns it on, into a bucket of an administrator's; a network load balancer logs TLS connections alone"),
]

PARLIAMENT = [
    ("RESOURCE_STAR", ["RelayRole"], "Lambda asks for the rights to network interfaces on every resource"),
    ("UNKNOWN_CONDITION_FOR_ACTION", ["RelayRole"], "parliament does not know lambda:SourceFunctionArn, which IAM has for whatever a function calls"),
    ("RESOURCE_STAR", ["ReconcileRole"], "the resource of ecs:ListTasks is the container instance, which Fargate has not; a condition names the cluster"),
    ("PERMISSIONS_MANAGEMENT_ACTIONS", ["ReconcileRole"], "iam:PassRole of the tasks' roles alone, to ECS tasks alone"),
    ("CREDENTIALS_EXPOSURE", ["ExecutionRole", "ProxyService/ExecutionRole"], "ecr:GetAuthorizationToken has no resource; without it no image comes from ECR"),
]

CLOUDSPLAINING = [
    ("infrastructure_modification", ["RelayRole"], "network interfaces, as above"),
    ("write_actions_without_constraints", ["RelayRole"], "network interfaces, as above"),
    ("credentials_exposure", ["ExecutionRole", "ProxyService/ExecutionRole"], "ecr:GetAuthorizationToken, as above"),
]
