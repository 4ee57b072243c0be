"""The scheduler is killed: its cluster is FAILED."""

import logging

from story import done, eventually, gateway, say, status, wait_for_go

logging.getLogger("distributed").setLevel(logging.CRITICAL)
g = gateway()
cluster = g.new_cluster()
cluster.scale(1)
client = cluster.get_client()
client.wait_for_workers(1, timeout=100)
client.close()
say("cluster", cluster.name)
wait_for_go()
eventually("failed", lambda: status(g, cluster.name) == "FAILED")
done()
