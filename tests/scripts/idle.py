"""Idle is what distributed says: a busy cluster lives, one whose work waits for workers lives, an idle one ends."""

import time

from story import done, eventually, gateway, status

g = gateway()
busy, waiting, idle = (g.new_cluster() for _ in range(3))
clients = [c.get_client(set_as_default=False) for c in (busy, waiting)]
busy.scale(1)
long = clients[0].submit(time.sleep, 9, pure=False)
queued = clients[1].submit(lambda: "never ran", pure=False)  # there is no worker

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
