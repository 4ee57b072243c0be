def dask_setup(scheduler):
    """What the gateway asks of a scheduler: for how long it is idle or without clients; to let workers go; to warn."""
    import asyncio, json, os, pickle
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
    tasks = set()

    class Handler(RequestHandler):
        def prepare(self):
            if not compare_digest(self.request.headers.get("Authorization", "").encode(), expected):
                self.set_status(403)
                self.finish()

    class Idle(Handler):
        def get(self):
            since = scheduler.check_idle()
            users = sum(map(is_user, scheduler.clients))
            self.write(
                {
                    "idle_ms": None if since is None else max(0, int((time() - since) * 1000)),
                    "clients": users,
                    "clientless_ms": None if users else int((monotonic() - clients.left_at) * 1000),
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
                chosen = [a for a in best if a not in leaving][:excess]
                task = asyncio.ensure_future(scheduler.retire_workers(chosen, close_workers=True, remove=True))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

    class Warn(Handler):
        def post(self):
            # as `distributed.worker.warn` does it: each client shows it as a warning of Python's
            message = json.loads(self.request.body)["message"]
            event = {"message": pickle.dumps(message), "category": pickle.dumps(UserWarning)}
            scheduler.log_event("warn", event)

    # idleness begins when the scheduler notices it: not only when it is asked
    PeriodicCallback(scheduler.check_idle, 1000).start()
    scheduler.add_plugin(clients, name="faregate")
    routes = [("/faregate/" + handler.__name__.lower(), handler) for handler in (Idle, Retire, Warn)]
    scheduler.http_application.add_handlers(".*", routes)
