"""Say, as JSON, what a stack consists of; and do what the emulator left out of it.

`deployed.py STACK`: {"outputs": …, "resources": {logical id: physical id}, "nested": {logical id: the same again}}
"""

import json
import sys

import boto3

cloudformation = boto3.client("cloudformation")


def describe(stack):
    said = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    resources = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    physical = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in resources if r.get("PhysicalResourceId")}
    types = {r["LogicalResourceId"]: r["ResourceType"] for r in resources}
    nested = [name for name in physical if types[name] == "AWS::CloudFormation::Stack"]
    return {
        "outputs": {o["OutputKey"]: o["OutputValue"] for o in said.get("Outputs", [])},
        "resources": physical,
        "nested": {name: describe(physical[name]) for name in nested},
    }


stack = describe(sys.argv[1])
# its TimeToLiveSpecification is ignored by the emulator
boto3.client("dynamodb").update_time_to_live(
    TableName=stack["resources"]["Table"], TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": True}
)
password = boto3.client("secretsmanager").get_secret_value(SecretId=stack["resources"]["SignInSecret"])["SecretString"]
stack["password"] = json.loads(password)["password"]
if "ProxyService" in stack["nested"]:
    definition = stack["nested"]["ProxyService"]["resources"]["TaskDefinition"]
    definition = boto3.client("ecs").describe_task_definition(taskDefinition=definition)["taskDefinition"]
    stack["proxy"] = definition["containerDefinitions"][0]
print(json.dumps(stack))
