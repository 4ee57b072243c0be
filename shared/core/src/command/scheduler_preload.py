def dask_setup(scheduler):
    # What the gateway asks of a scheduler: for how long it is idle or without clients, and whether any ever came; which workers it has seen; to let workers go; to warn.
    import asyncio, json, pickle, signal

    from distributed.diagnostics.plugin import SchedulerPlugin
    from distributed.metrics import monotonic
    from tornado.ioloop import PeriodicCallback
    from tornado.web import RequestHandler

    right = ("token " + token).encode()
    handler = signal.getsignal(signal.SIGINT)
    seen = set()

    def is_user(client):
        # the others are the scheduler's own, and those by which tasks submit tasks
        return client != "fire-and-forget" and not client.startswith("Client-worker-")

    class Watch(SchedulerPlugin):
        left_at = monotonic()

        def add_worker(self, scheduler, worker):
            seen.add(scheduler.workers[worker].name)

        def remove_client(self, scheduler, client):
            if is_user(client):
                self.left_at = monotonic()

        async def before_close(self):
            # Told to end by a signal, which takes the handler away; so are the workers. One whose scheduler leaves while its nanny ends it
            # hangs for seconds: they leave first.
            end = monotonic() + 5
            while scheduler.workers and signal.getsignal(signal.SIGINT) is not handler and monotonic() < end:
                await asyncio.sleep(0.02)

    watch = Watch()
    tasks = set()
    idle = [None, 0]

    def idle_ms():
        # distributed tells since when by a clock that may be set: what is counted is the time since we saw it
        since = scheduler.check_idle()
        if since != idle[0]:
            idle[:] = since, monotonic()
        return None if since is None else int((monotonic() - idle[1]) * 1000)

    def begin(work):
        task = asyncio.ensure_future(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    class Handler(RequestHandler):
        def prepare(self):
            if not hmac.compare_digest(self.request.headers.get("Authorization", "").encode(), right):
                self.send_error(403)

    class Idle(Handler):
        def get(self):
            users = sum(map(is_user, scheduler.clients))
            # no client has left either, and no `GatewayCluster` follows the workers before anybody makes a client of it
            new = not (users or vars(watch) or "worker-status" in scheduler.plugins)
            alone = None if users else int((monotonic() - watch.left_at) * 1000)
            self.write({"idle_ms": idle_ms(), "clients": users, "clientless_ms": alone, "workers": len(scheduler.workers), "unclaimed": new})

    class Workers(Handler):
        def post(self):
            self.write({"seen": [name for name in json.loads(self.request.body)["names"] if name in seen]})

    class Retire(Handler):
        def post(self):
            going = {a for a, ws in scheduler.workers.items() if ws.status.name == "closing_gracefully"}
            more = len(scheduler.workers) - len(going) - max(0, int(json.loads(self.request.body)["keep"]))
            if more > 0:
                # those that leave already may be among the best candidates
                best = [a for a in scheduler.workers_to_close(n=len(going) + more) if a not in going]
                begin(scheduler.retire_workers(best[:more], close_workers=True))

    class Warn(Handler):
        def post(self):
            # as `distributed.worker.warn` does it: each client shows it as a warning of Python's
            text = json.loads(self.request.body)["message"]
            scheduler.log_event("warn", {"message": pickle.dumps(text), "category": pickle.dumps(UserWarning)})

    async def report():
        # the official preload, which comes next, waits for a quarter of a second before its first heartbeat
        while not (gateway := scheduler.services.get("gateway")) or not gateway.waiter.task:
            await asyncio.sleep(0.005)
        await gateway.waiter.interrupt()

    begin(report())
    # idleness begins when the scheduler notices it: not only when it is asked
    PeriodicCallback(idle_ms, 1000).start()
    scheduler.add_plugin(watch, name="faregate")
    routes = [("/faregate/" + handler.__name__.lower(), handler) for handler in (Idle, Workers, Retire, Warn)]
    scheduler.http_application.add_handlers(".*", routes)
