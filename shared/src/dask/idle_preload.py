def dask_setup(scheduler):
    """Adds one read-only route: how long the scheduler has been idle, by its own rule."""
    import os
    from hmac import compare_digest

    from distributed.metrics import time
    from tornado.ioloop import PeriodicCallback
    from tornado.web import RequestHandler

    token = os.environ["DASK_GATEWAY_API_TOKEN"]
    if "/" in token:
        with open(token) as file:
            token = file.read()
    expected = ("token " + token).encode()

    class Idle(RequestHandler):
        def get(self):
            sent = self.request.headers.get("Authorization", "")
            if not compare_digest(sent.encode(), expected):
                self.set_status(403)
                return
            since = scheduler.check_idle()
            internal = "fire-and-forget" in scheduler.clients
            self.write(
                {
                    "idle_ms": None if since is None else max(0, int((time() - since) * 1000)),
                    "clients": len(scheduler.clients) - internal,
                    "tasks": len(scheduler.tasks),
                    "queued": len(scheduler.queued),
                    "unrunnable": len(scheduler.unrunnable),
                    "workers": len(scheduler.workers),
                }
            )

    # idleness begins when the scheduler notices it: not only when it is asked
    PeriodicCallback(scheduler.check_idle, 1000).start()
    scheduler.http_application.add_handlers(".*", [("/faregate/idle", Idle)])
