"""Start ministack with three differences from how it comes.

- ECS events can be published to it. As AWS does, its PutEvents refuses events whose source is `aws.*`. On AWS it is ECS itself
  that publishes task state changes; here it is a fake ECS in another process, which has only PutEvents.
- A `Ref` to a number parameter is a number where the property is one, as in CloudFormation. Otherwise a mapping whose
  MaximumConcurrency is a parameter is never polled ("'>=' not supported between instances of 'int' and 'str'").
- An update of a nested stack keeps the attributes of what has not changed in it. Otherwise a changed parameter of it fails ("Requested
  attribute Arn does not exist in schema for AWS::Logs::LogGroup").

Everything else is ministack's own: settings come from its environment (BIND_HOST, GATEWAY_PORT, …).
"""

import functools

from ministack import app
from ministack.services import cloudformation, eventbridge
from ministack.services.cloudformation import provisioners

NUMBERS = {"MaximumConcurrency", "MemorySize", "RetentionInDays", "ThrottlingBurstLimit", "ThrottlingRateLimit"}


def numbered(value, key=None):
    """The same properties, with numbers where numbers belong."""
    if isinstance(value, dict):
        return {k: numbered(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [numbered(v) for v in value]
    if key in NUMBERS and isinstance(value, str) and value.isdigit():
        return int(value)
    return value


def with_numbers(provision):
    """Wrap a function that makes or changes a resource, so that it gets its properties numbered."""

    @functools.wraps(provision)
    def wrapped(*args, **kwargs):
        return provision(*map(numbered, args), **kwargs)

    return wrapped


for handlers in provisioners._RESOURCE_HANDLERS.values():
    for step in ("create", "update"):
        if step in handlers:
            handlers[step] = with_numbers(handlers[step])

update_resource = provisioners._update_resource


def update_with_attributes(kind, physical_id, old, new, stack, logical_id=None, old_attrs=None):
    if old_attrs is None:
        known = cloudformation._stacks.get(stack, {}).get("_resources", {}).get(logical_id, {})
        old_attrs = known.get("Attributes")
    return update_resource(kind, physical_id, old, new, stack, logical_id, old_attrs)


provisioners._update_resource = update_with_attributes  # for nested stacks; others give the attributes themselves

# Handlers of requests are looked up by this name at every request.
eventbridge._put_events = functools.partial(eventbridge._put_events, allow_aws_source=True)

if __name__ == "__main__":
    app.main()
