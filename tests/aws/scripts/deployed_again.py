"""A cluster that computes while the gateway is deployed again and again: `deployed_again.py ADDRESS STEP…`, a line in for each."""

import sys

from dask.distributed import Event
from story import done, eventually, gateway, say, status, wait_for_go

g = gateway()
cluster = g.new_cluster()
cluster.scale(2)
client = cluster.get_client()
client.wait_for_workers(2, timeout=100)
held = client.submit(lambda: list(range(1000)))
addresses = set(client.scheduler_info()["workers"])


def awaited(number):
    Event("deployed").wait()
    return number + 1


pending = [client.submit(awaited, 1), client.submit(awaited, 2)]
say("cluster", cluster.name)
for step in sys.argv[2:]:
    wait_for_go()
    # asked through the new functions; the connection is the one that it had
    assert status(g, cluster.name) == "RUNNING", step
    assert set(client.scheduler_info()["workers"]) == addresses and client.status == "running", step
    assert all(future.status == "pending" for future in pending), step
    say(step)
client.get_versions(check=False)
Event("deployed", client=client).set()
assert client.gather(pending) == [2, 3]
assert held.result(timeout=100) == list(range(1000))
cluster.scale(3)
client.wait_for_workers(3, timeout=100)
client.close()
name = cluster.name
cluster.shutdown()
eventually("at rest", lambda: status(g, name) == "STOPPED")
done()
