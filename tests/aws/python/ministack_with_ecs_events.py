"""Start ministack so that ECS events can be published to it.

As AWS does, its PutEvents refuses events whose source is `aws.*`. On AWS it is ECS itself that publishes task state changes;
here it is a fake ECS in another process, which has only PutEvents. So that call is let through.

Everything else is ministack's own: settings come from its environment (BIND_HOST, GATEWAY_PORT, …).
"""

import functools

from ministack import app
from ministack.services import eventbridge

# Handlers are looked up by this name at every request.
eventbridge._put_events = functools.partial(eventbridge._put_events, allow_aws_source=True)

if __name__ == "__main__":
    app.main()
