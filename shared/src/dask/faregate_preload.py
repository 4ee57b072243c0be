def dask_setup(scheduler):
    """What the gateway asks of a scheduler: for how long it is idle or without clients; to let workers go; to warn."""
    import asyncio
    import json
    import os
    import pickle
    from hmac import compare_digest

    from distributed.core import Status
    from distributed.diagnostics.plugin import SchedulerPlugin
    from distributed.metrics import monotonic, time
    from tornado.ioloop import PeriodicCallback
    from tornado.web import RequestHandler

    token = os.environ["DASK_GATEWAY_API_TOKEN"]
    if "/" in token:
        with open(token) as file:
            token = file.read()
    expected = ("token " + token).encode()

    def is_user(client):
        # the others are the scheduler's own, and those by which tasks submit tasks
        return client != "fire-and-forget" and not client.startswith("Client-worker-")

    class Clients(SchedulerPlugin):
        left_at = monotonic()

        def remove_client(self, scheduler, client):
            if is_user(client):
                self.left_at = monotonic()

    clients = Clients()
    retirements = set()

    class Handler(RequestHandler):
        def prepare(self):
            sent = self.request.headers.get("Authorization", "")
            if not compare_digest(sent.encode(), expected):
                self.set_status(403)
                self.finish()

    class Idle(Handler):
        def get(self):
            since = scheduler.check_idle()
            connected = sum(map(is_user, scheduler.clients))
            clientless = None if connected else monotonic() - clients.left_at
            self.write(
                {
                    "idle_ms": None if since is None else max(0, int((time() - since) * 1000)),
                    "clients": connected,
                    "clientless_ms": None if clientless is None else int(clientless * 1000),
                    "workers": len(scheduler.workers),
                }
            )

    class Retire(Handler):
        def post(self):
            keep = max(0, int(json.loads(self.request.body)["keep"]))
            workers = scheduler.workers
            leaving = {a for a, ws in workers.items() if ws.status == Status.closing_gracefully}
            excess = len(workers) - len(leaving) - keep
            if excess > 0:
                # those that leave already may be among the best candidates
                best = scheduler.workers_to_close(n=len(leaving) + excess)
                chosen = [address for address in best if address not in leaving][:excess]
                retire = scheduler.retire_workers(workers=chosen, close_workers=True, remove=True)
                retirement = asyncio.ensure_future(retire)
                retirements.add(retirement)
                retirement.add_done_callback(retirements.discard)

    class Warn(Handler):
        def post(self):
            # as `distributed.worker.warn` does it: each client shows it as a warning of Python's
            message, category = json.loads(self.request.body)["message"], UserWarning
            event = {"message": pickle.dumps(message), "category": pickle.dumps(category)}
            scheduler.log_event("warn", event)

    # idleness begins when the scheduler notices it: not only when it is asked
    PeriodicCallback(scheduler.check_idle, 1000).start()
    scheduler.add_plugin(clients, name="faregate")
    routes = [("/faregate/idle", Idle), ("/faregate/retire", Retire), ("/faregate/warn", Warn)]
    scheduler.http_application.add_handlers(".*", routes)
