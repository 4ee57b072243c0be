"""Idle is what distributed says: a busy cluster lives, one whose work waits for workers lives, an idle one ends."""

import time

from story import done, eventually, gateway, status

g = gateway()


def with_work(work, *args):
    """A cluster that has work from its first moment on: idle, it would not live until the next has started."""
    cluster = g.new_cluster()
    client = cluster.get_client(set_as_default=False)
    return cluster, client, client.submit(work, *args, pure=False)


waiting, waiting_client, queued = with_work(lambda: "never ran")  # there is no worker
busy, busy_client, long = with_work(time.sleep, 9)
busy.scale(1)
idle = g.new_cluster()

eventually("the idle one ends", lambda: status(g, idle.name) in ("STOPPED", "FAILED"))
assert status(g, idle.name) == "STOPPED"
long.result(timeout=100)
assert status(g, busy.name) == "RUNNING"
assert status(g, waiting.name) == "RUNNING"
eventually("idle by now", lambda: status(g, busy.name) == "STOPPED")
assert status(g, waiting.name) == "RUNNING"
waiting.scale(1)
assert queued.result(timeout=100) == "never ran"
done()
