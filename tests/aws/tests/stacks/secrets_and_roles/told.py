"""Say, as JSON, what a stack tells those who may look at it, and what it keeps where secrets belong.

`told.py BUCKET TABLE`: {"places": {place: text}, "bucket": {key: text}, "secrets": {name: text}}
"""

import json
import sys

import boto3

bucket, table = sys.argv[1:]
cloudformation, ecs, functions, logs = map(boto3.client, ("cloudformation", "ecs", "lambda", "logs"))
places = {}


def place(name, *told):
    places[name] = "\n".join(t if isinstance(t, str) else json.dumps(t, default=str) for t in told)


def pages(client, action, key, **arguments):
    for page in client.get_paginator(action).paginate(**arguments):
        yield from page[key]


for cluster in pages(ecs, "list_clusters", "clusterArns"):
    for status in ("RUNNING", "STOPPED"):
        tasks = list(pages(ecs, "list_tasks", "taskArns", cluster=cluster, desiredStatus=status))
        said = [ecs.describe_tasks(cluster=cluster, tasks=tasks[n : n + 100], include=["TAGS"]) for n in range(0, len(tasks), 100)]
        place(f"{status} tasks of {cluster}", *tasks, *said)
for status in ("ACTIVE", "INACTIVE"):
    known = list(pages(ecs, "list_task_definitions", "taskDefinitionArns", status=status))
    said = [ecs.describe_task_definition(taskDefinition=d, include=["TAGS"]) for d in known]
    place(f"{status} task definitions", *said)
for stack in pages(cloudformation, "describe_stacks", "Stacks"):
    name = stack["StackName"]
    events = list(pages(cloudformation, "describe_stack_events", "StackEvents", StackName=name))
    place(f"stack {name}", stack, cloudformation.get_template(StackName=name)["TemplateBody"], *events)
for function in pages(functions, "list_functions", "Functions"):
    name = function["FunctionName"]
    place(f"function {name}", function, functions.get_function_configuration(FunctionName=name))
for group in pages(logs, "describe_log_groups", "logGroups"):
    name = group["logGroupName"]
    place(f"log {name}", *(event["message"] for event in pages(logs, "filter_log_events", "events", logGroupName=name)))
place("table", *pages(boto3.client("dynamodb"), "scan", "Items", TableName=table))

s3, secrets = boto3.client("s3"), boto3.client("secretsmanager")
objects = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
kept = {o["Key"]: s3.get_object(Bucket=bucket, Key=o["Key"])["Body"].read().decode() for o in objects}
known = {s["Name"]: secrets.get_secret_value(SecretId=s["ARN"])["SecretString"] for s in pages(secrets, "list_secrets", "SecretList")}
print(json.dumps({"places": places, "bucket": kept, "secrets": known}))
