def dask_setup(scheduler):
    # What the gateway asks of a scheduler: for how long it is idle or without clients; to let workers go; to warn.
    import asyncio, json, os, pickle
    from hmac import compare_digest

    from distributed.diagnostics.plugin import SchedulerPlugin
    from distributed.metrics import monotonic
    from tornado.ioloop import PeriodicCallback
    from tornado.web import RequestHandler

    token = os.environ["DASK_GATEWAY_API_TOKEN"]
    if "/" in token:
        token = open(token).read()
    right = ("token " + token).encode()

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
    idle = [None, 0]

    def idle_ms():
        # distributed tells since when by a clock that may be set: what is counted is the time since we saw it
        since = scheduler.check_idle()
        if since != idle[0]:
            idle[:] = since, monotonic()
        return None if since is None else int((monotonic() - idle[1]) * 1000)

    class Handler(RequestHandler):
        def prepare(self):
            if not compare_digest(self.request.headers.get("Authorization", "").encode(), right):
                self.send_error(403)

    class Idle(Handler):
        def get(self):
            users = sum(map(is_user, scheduler.clients))
            alone = None if users else int((monotonic() - clients.left_at) * 1000)
            self.write({"idle_ms": idle_ms(), "clients": users, "clientless_ms": alone, "workers": len(scheduler.workers)})

    class Retire(Handler):
        def post(self):
            keep = max(0, int(json.loads(self.request.body)["keep"]))
            workers = scheduler.workers
            going = {a for a, ws in workers.items() if ws.status.name == "closing_gracefully"}
            more = len(workers) - len(going) - keep
            if more > 0:
                # those that leave already may be among the best candidates
                best = scheduler.workers_to_close(n=len(going) + more)
                best = [a for a in best if a not in going][:more]
                task = asyncio.ensure_future(scheduler.retire_workers(best, close_workers=True))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

    class Warn(Handler):
        def post(self):
            # as `distributed.worker.warn` does it: each client shows it as a warning of Python's
            text = json.loads(self.request.body)["message"]
            scheduler.log_event("warn", {"message": pickle.dumps(text), "category": pickle.dumps(UserWarning)})

    # idleness begins when the scheduler notices it: not only when it is asked
    PeriodicCallback(idle_ms, 1000).start()
    scheduler.add_plugin(clients, name="faregate")
    routes = [("/faregate/" + handler.__name__.lower(), handler) for handler in (Idle, Retire, Warn)]
    scheduler.http_application.add_handlers(".*", routes)
