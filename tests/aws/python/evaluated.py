"""What CloudFormation makes of the templates: every resource of a stack and of those nested in it, with its properties resolved.

Names that AWS makes up are made up here: `STACK-LOGICALID-X`, so that what is another stack's is seen to be.
"""

import ipaddress
import re
from pathlib import Path

import yaml

REGION, ACCOUNT = "us-east-1", "123456789012"
NO_VALUE = object()
PSEUDO = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::NoValue": NO_VALUE,
}
# The property that names a resource, and its ARN by that name.
KINDS = {
    "AWS::Serverless::Function": ("FunctionName", "lambda", "function:{}"),
    "AWS::SQS::Queue": ("QueueName", "sqs", "{}"),
    "AWS::SNS::Topic": ("TopicName", "sns", "{}"),
    "AWS::DynamoDB::Table": ("TableName", "dynamodb", "table/{}"),
    "AWS::SecretsManager::Secret": ("Name", "secretsmanager", "secret:{}-aB3dE6"),
    "AWS::ECS::Cluster": ("ClusterName", "ecs", "cluster/{}"),
    "AWS::ECS::TaskDefinition": ("Family", "ecs", "task-definition/{}:1"),
    "AWS::ECS::Service": ("ServiceName", "ecs", "service/{}"),
    "AWS::Events::Rule": ("Name", "events", "rule/{}"),
    "AWS::Logs::LogGroup": ("LogGroupName", "logs", "log-group:{}:*"),
    "AWS::KMS::Key": (None, "kms", "key/{}"),
}
ARN_BY_REF = {"AWS::SNS::Topic", "AWS::SecretsManager::Secret", "AWS::ECS::TaskDefinition"}


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's tags."""


def tagged(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    construct = loader.construct_sequence if isinstance(node, yaml.SequenceNode) else loader.construct_mapping
    return {name: construct(node, deep=True)}


Loader.add_multi_constructor("!", tagged)


def read(path):
    return yaml.load(Path(path).read_text(), Loader)


class Stack:
    """A template with its parameters; `resources` has what it consists of, by logical id: `type`, `name`, `arn`, `properties`."""

    def __init__(self, path, name, parameters):
        self.path, self.name, self.template = Path(path), name, read(path)
        declared = self.template.get("Parameters", {})
        unknown = set(parameters) - set(declared)
        assert not unknown, f"{path} has no parameters {unknown}"
        self.parameters = {p: str(parameters.get(p, declared[p].get("Default", ""))) for p in declared}
        for p, declaration in declared.items():
            if declaration["Type"] == "CommaDelimitedList":
                self.parameters[p] = self.parameters[p].split(",")
        self.nested, self.resources = {}, {}
        for logical, resource in self.template["Resources"].items():
            if "Condition" not in resource or self.holds({"Condition": resource["Condition"]}):
                self.resource(logical)

    def resource(self, logical):
        """Resolved once it is asked for, as others may need its name first."""
        if logical in self.resources:
            return self.resources[logical]
        declared = self.template["Resources"][logical]
        kind = declared["Type"]
        naming, service, form = KINDS.get(kind, (None, None, None))
        given = declared.get("Properties", {})
        name = self.value(given[naming]) if naming in given else f"{self.name}-{logical}-X7Q2"
        arn = None
        if kind == "AWS::S3::Bucket":
            arn = f"arn:aws:s3:::{name.lower()}"
        elif kind == "AWS::IAM::Role":
            path = self.value(given.get("Path", "/"))
            arn = f"arn:aws:iam::{ACCOUNT}:role{'/' if path is NO_VALUE else path}{name}"
        elif service:
            arn = f"arn:aws:{service}:{REGION}:{ACCOUNT}:{form.format(name)}"
        self.resources[logical] = made = {"type": kind, "name": name, "arn": arn}
        if kind == "AWS::CloudFormation::Stack":
            values = {p: self.value(v) for p, v in given["Parameters"].items()}
            values = {p: ",".join(v) if isinstance(v, list) else v for p, v in values.items()}
            self.nested[logical] = Stack(self.path.parent / given["TemplateURL"], name, values)
        made["properties"] = self.value(given)
        return made

    def every(self, prefix=""):
        """All resources, of nested stacks too, by `Nested/LogicalId`."""
        for logical, resource in self.resources.items():
            yield prefix + logical, resource
        for logical, nested in self.nested.items():
            yield from nested.every(f"{prefix}{logical}/")

    def reference(self, name):
        if name == "AWS::StackName":
            return self.name
        if name in PSEUDO or name in self.parameters:
            return PSEUDO.get(name, self.parameters.get(name))
        resource = self.resource(name)
        return resource["arn"] if resource["type"] in ARN_BY_REF else resource["name"]

    def attribute(self, logical, attribute):
        resource = self.resource(logical)
        if attribute.startswith("Outputs."):
            nested = self.nested[logical]
            return nested.value(nested.template["Outputs"][attribute.removeprefix("Outputs.")]["Value"])
        if attribute == "Arn":
            assert resource["arn"], f"the ARN of a {resource['type']} is not known here"
            return resource["arn"]
        return resource["name"] if attribute in ("Name", "QueueName") else f"{resource['name']}.{attribute}"

    def substituted(self, text):
        own = {}
        if isinstance(text, list):
            text, own = text[0], {k: self.value(v) for k, v in text[1].items()}

        def one(match):
            name = match[1]
            if name in own:
                return str(own[name])
            return str(self.attribute(*name.split(".", 1)) if "." in name else self.reference(name))

        return re.sub(r"\$\{([^}!]+)\}", one, text)

    def holds(self, condition):
        return self.value(condition) in (True, "true")

    def value(self, value):
        if isinstance(value, list):
            return [v for v in map(self.value, value) if v is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, parts), = value.items()
            if name in ("Ref", "Condition") and isinstance(parts, str) or name.startswith("Fn::"):
                return self.call(name, parts)
        return {k: v for k, v in ((k, self.value(v)) for k, v in value.items()) if v is not NO_VALUE}

    def call(self, name, parts):
        match name:
            case "Ref":
                return self.reference(parts)
            case "Condition":
                return self.value(self.template["Conditions"][parts])
            case "Fn::GetAtt":
                return self.attribute(*parts)
            case "Fn::Sub":
                return self.substituted(parts)
            case "Fn::If":
                return self.value(parts[1] if self.holds({"Condition": parts[0]}) else parts[2])
            case "Fn::Equals":
                left, right = map(self.value, parts)
                return str(left) == str(right)
            case "Fn::Not":
                return not self.value(parts[0])
            case "Fn::And":
                return all(map(self.value, parts))
            case "Fn::Or":
                return any(map(self.value, parts))
            case "Fn::Join":
                return parts[0].join(self.value(parts[1]))
            case "Fn::Split":
                return self.value(parts[1]).split(parts[0])
            case "Fn::Select":
                return self.value(parts[1])[int(self.value(parts[0]))]
            case "Fn::GetAZs":
                return [f"{REGION}{zone}" for zone in "abc"]
            case "Fn::Cidr":
                network = ipaddress.ip_network(self.value(parts[0]))
                return [str(n) for n in network.subnets(new_prefix=32 - int(parts[2]))][: int(parts[1])]
        raise ValueError(f"{self.path}: {name} is not known here")


def deployed(name, **parameters):
    """The gateway's stack of this name."""
    least = {"SignIn": "basic", "ProxyImage": "proxy", "AlarmEmail": "me@example.org"}
    return Stack("template.yaml", name, {**least, **parameters})


def policies(stack):
    """The policies of every role: its logical id, the policy's name, the document."""
    for logical, resource in stack.every():
        if resource["type"] == "AWS::IAM::Role":
            for policy in resource["properties"].get("Policies", []):
                yield logical, policy["PolicyName"], policy["PolicyDocument"]
