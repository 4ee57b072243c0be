"""Facts of the templates' text on which AWS's behaviour hangs, and which no emulator shows. Run in the workspace's root, with cfn-lint."""

import json
import sys

from cfnlint.decode import decode


def read(path):
    template, problems = decode(path)
    assert not problems, (path, problems)
    return json.loads(json.dumps(template, default=str))


root = read("template.yaml")
proxy = read("infra/cloudformation/proxy.yaml")
alarms = read("infra/cloudformation/observability.yaml")
function_alarms = read("infra/cloudformation/function-alarms.yaml")


def properties(template, name):
    return template["Resources"][name]["Properties"]


def holds(rule, values):
    """CloudFormation's functions of rules, with these values of parameters."""
    (name, parts), = rule.items()
    if name == "Ref":
        return str(values.get(parts, root["Parameters"][parts].get("Default", "")))
    parts = [holds(p, values) if isinstance(p, dict) else p for p in parts]
    match name:
        case "Fn::Equals":
            return str(parts[0]) == str(parts[1])
        case "Fn::Not":
            return not parts[0]
        case "Fn::And" | "Fn::Or":
            assert 2 <= len(parts) <= 10, "as many as CloudFormation takes"
            return all(parts) if name == "Fn::And" else any(parts)
        case "Fn::Contains":
            return parts[1] in [str(p) for p in parts[0]]
    raise ValueError(name)


def refused(**values):
    found = []
    for rule in root["Rules"].values():
        if "RuleCondition" not in rule or holds(rule["RuleCondition"], values):
            found += [a["AssertDescription"] for a in rule["Assertions"] if not holds(a["Assert"], values)]
    return found


def the_proxy_keeps_its_connections():
    service = properties(proxy, "Service")
    assert service["AvailabilityZoneRebalancing"] == "DISABLED"
    for name, draining in [("RelayTargets", "3600"), ("DashboardTargets", "60")]:
        targets = properties(proxy, name)
        attributes = {a["Key"]: a["Value"] for a in targets["TargetGroupAttributes"]}
        assert attributes["target_health_state.unhealthy.connection_termination.enabled"] == "false", name
        assert attributes["target_health_state.unhealthy.draining_interval_seconds"] == draining, name
        assert targets["UnhealthyThresholdCount"] * targets["HealthCheckIntervalSeconds"] >= 60, name


def the_proxys_log_never_blocks_it():
    options = properties(proxy, "TaskDefinition")["ContainerDefinitions"][0]["LogConfiguration"]["Options"]
    assert options["mode"] == "non-blocking" and options["max-buffer-size"], options


def a_proxy_is_no_larger_than_its_thread():
    assert max(int(cpu) for cpu in root["Parameters"]["ProxyCpu"]["AllowedValues"]) == 1024


def proxies_are_in_order():
    least = [int(n) for n in root["Parameters"]["ProxyMinTasks"]["AllowedValues"]]
    for low in least:
        for high in range(1, 15):
            said = refused(ProxyImage="x", ProxyMinTasks=low, ProxyMaxTasks=high)
            assert said == ([] if low <= high else ["ProxyMinTasks must not be more than ProxyMaxTasks"]), (low, high, said)


def the_api_has_an_address():
    assert refused(ProxyImage="x", DisableExecuteApiEndpoint="true") == [
        "DisableExecuteApiEndpoint needs PublicUrl, a custom domain name of API Gateway"
    ]
    assert refused(ProxyImage="x", DisableExecuteApiEndpoint="true", PublicUrl="https://dask.example.org") == []


def five_of_ten_functions_are_left_to_the_api():
    """Beside the enforcement run, which is one."""
    readers = [root["Parameters"][p]["Default"] for p in ("ReconcileConcurrency", "EventsConcurrency")]
    assert 10 - sum(readers) - 1 >= 5, readers


def an_hour_of_throttling_loses_no_message():
    timeouts = {"Wakes": "ReconcileFunction", "Events": "TaskEventsFunction"}
    for queue, function in timeouts.items():
        queue = properties(root, queue)
        assert queue["VisibilityTimeout"] == 6 * properties(root, function)["Timeout"]
        # also where a poller that is throttled gives a message back after a minute
        assert queue["RedrivePolicy"]["maxReceiveCount"] * 60 > 3600


def tasks_reach_nothing_of_the_gateway():
    """Whatever roles users' tasks run under."""
    def denies(statements, action):
        for s in statements:
            s = s["Fn::If"][1] if "Fn::If" in s else s
            by = s.get("Condition", {}).get("ArnEquals", {}).get("aws:PrincipalArn")
            text = json.dumps(by)
            if s["Effect"] == "Deny" and s["Action"] == action and "TaskRoleArn" in text and "SelectableTaskRoleArns" in text:
                return s["Principal"] == "*"
        return False

    for table in ("Table", "AuditTable"):
        when, policy, otherwise = properties(root, table)["ResourcePolicy"]["Fn::If"]
        assert when == "NamesTaskRoles" and otherwise == {"Ref": "AWS::NoValue"}
        assert denies(policy["PolicyDocument"]["Statement"], "dynamodb:*"), table
    for secret in ("KeyRing", "SignInSecret"):
        policy = root["Resources"][f"{secret}Policy"]
        assert policy["Condition"] == "NamesTaskRoles" and policy["Properties"]["SecretId"] == {"Ref": secret}
        assert denies(policy["Properties"]["ResourcePolicy"]["Statement"], "secretsmanager:*"), secret
    bucket = properties(root, "EnvironmentFilesPolicy")["PolicyDocument"]["Statement"]
    assert denies(bucket, "s3:*")
    writes = [s for s in bucket if s.get("Sid") == "WrittenByTheReconcilerAlone"]
    assert writes[0]["Effect"] == "Deny" and "s3:PutObject" in writes[0]["Action"]
    assert writes[0]["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": {"Fn::GetAtt": ["ReconcileRole", "Arn"]}}}


def tables_use_the_key_that_costs_nothing():
    assert all("SSESpecification" not in properties(root, table) for table in ("Table", "AuditTable"))


def alarms_are_encrypted_with_a_key_that_cloudwatch_may_use():
    assert properties(alarms, "Topic")["KmsMasterKeyId"] == {"Ref": "TopicKey"}
    statements = properties(alarms, "TopicKey")["KeyPolicy"]["Statement"]
    assert any("cloudwatch.amazonaws.com" in s["Principal"].get("Service", []) for s in statements)


def every_alarm_has_a_line_in_the_guide():
    guide = open("docs/logs.md").read()
    every = [r["Properties"] for part in (alarms, function_alarms) for r in part["Resources"].values() if r["Type"] == "AWS::CloudWatch::Alarm"]
    names = [a["AlarmName"]["Fn::Sub"].removeprefix("${StackName}") for a in every]
    assert len(set(names)) == len(names)
    assert [name for name in names if f"`{name}`" not in guide] == []


def what_does_not_run_is_told():
    """The enforcement run that tells nothing; throttles and errors of every function."""
    silent = properties(function_alarms, "EnforceSilentAlarm")
    assert silent["TreatMissingData"] == "breaching" and silent["ComparisonOperator"] == "LessThanThreshold"
    watched = {(a["Properties"]["MetricName"], a["Properties"]["Dimensions"][0]["Value"]["Ref"]) for a in function_alarms["Resources"].values()}
    functions = [name for name, r in root["Resources"].items() if r["Type"] == "AWS::Serverless::Function"]
    assert len(functions) == 5
    assert {(metric, f) for metric in ("Errors", "Throttles") for f in functions} <= watched
    assert properties(alarms, "HealthEvents")["EventPattern"]["source"] == ["aws.health"]


def tasks_may_be_kept_from_the_network():
    """Groups add up: each that a task wears says of egress, and the two of a task alone say nowhere."""
    network = read("infra/cloudformation/network.yaml")
    for group, reach in [("Member", {"443"}), ("Scheduler", set()), ("Worker", set())]:
        when, rules, otherwise = properties(network, group)["SecurityGroupEgress"]["Fn::If"]
        assert when == "RestrictsEgress" and otherwise == {"Ref": "AWS::NoValue"}
        assert {str(r["FromPort"]) for r in rules if r["CidrIp"] == "0.0.0.0/0"} == reach, group
    members = network["Resources"]["MemberToMembers"]
    assert members["Condition"] == "RestrictsEgress" and members["Properties"]["DestinationSecurityGroupId"] == {"Fn::GetAtt": ["Member", "GroupId"]}


def every_role_is_as_the_account_asks_for_it():
    roles = [r["Properties"] for part in (root, proxy, alarms) for r in part["Resources"].values() if r["Type"] == "AWS::IAM::Role"]
    assert len(roles) == 9
    for role in roles:
        assert role["Path"] == {"Ref": "RolePath"} and role["PermissionsBoundary"]["Fn::If"][1] == {"Ref": "PermissionsBoundaryArn"}


facts = {name: fact for name, fact in list(globals().items()) if callable(fact) and getattr(fact, "__module__", "") == "__main__"}
for name in ("read", "properties", "holds", "refused"):
    del facts[name]
for name, fact in facts.items():
    fact()
    print(name.replace("_", " "))
sys.stdout.flush()
