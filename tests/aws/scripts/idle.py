"""A cluster that nobody uses ends by itself; one that computes does not."""

import time

from story import done, eventually, gateway, status

g = gateway("idler")
busy = g.new_cluster(idle_timeout=3)
client = busy.get_client(set_as_default=False)
future = client.submit(time.sleep, 75, pure=False)
busy.scale(1)
idle = g.new_cluster(idle_timeout=3)
eventually("the idle one ends", lambda: status(g, idle.name) == "STOPPED")
future.result(timeout=100)
assert status(g, busy.name) == "RUNNING"
client.close()
busy.shutdown()
done()
