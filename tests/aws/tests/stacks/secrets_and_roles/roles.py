"""Say, as JSON, what every role of a stack may do, who wears it, and what the bucket's policy says.

`roles.py STACK BUCKET`
"""

import json
import sys

import boto3

stack, bucket = sys.argv[1:]
cloudformation, iam, functions = boto3.client("cloudformation"), boto3.client("iam"), boto3.client("lambda")


def listed(value):
    return value if isinstance(value, list) else [value]


def statements(document):
    return [
        {
            "effect": s["Effect"],
            "actions": listed(s["Action"]),
            "resources": listed(s["Resource"]),
            "condition": s.get("Condition"),
        }
        for s in listed(document["Statement"])
    ]


def names(stack, prefix=""):
    """Roles by their logical ids."""
    for r in cloudformation.describe_stack_resources(StackName=stack)["StackResources"]:
        if r["ResourceType"] == "AWS::CloudFormation::Stack":
            yield from names(r["PhysicalResourceId"], f"{prefix}{r['LogicalResourceId']}/")
        elif r["ResourceType"] == "AWS::IAM::Role":
            yield prefix + r["LogicalResourceId"], r["PhysicalResourceId"]


def wearers():
    """What names itself in its calls, by its role's ARN."""
    for f in functions.list_functions()["Functions"]:
        yield f["Role"], f["Environment"]["Variables"]["AWS_SDK_UA_APP_ID"]
    proxy = boto3.client("ecs").describe_task_definition(taskDefinition=f"{stack}-proxy")["taskDefinition"]
    environment = {e["name"]: e["value"] for e in proxy["containerDefinitions"][0]["environment"]}
    yield proxy["taskRoleArn"], environment["AWS_SDK_UA_APP_ID"]


worn = dict(wearers())
roles = []
for logical, name in names(stack):
    role = iam.get_role(RoleName=name)["Role"]
    inline = [iam.get_role_policy(RoleName=name, PolicyName=p) for p in iam.list_role_policies(RoleName=name)["PolicyNames"]]
    assert not iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"], name
    roles.append(
        {
            "role": logical,
            "app": worn.get(role["Arn"]),
            "trusts": [s["Principal"] for s in listed(role["AssumeRolePolicyDocument"]["Statement"])],
            "arn": role["Arn"],
            "statements": [s for policy in inline for s in statements(policy["PolicyDocument"])],
        }
    )
policy = json.loads(boto3.client("s3").get_bucket_policy(Bucket=bucket)["Policy"])
print(json.dumps({"roles": roles, "bucket": statements(policy)}))
