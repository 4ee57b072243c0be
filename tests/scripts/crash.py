"""Two clusters with workers computing while the gateway is killed and started again."""

import threading
import time

from story import done, eventually, gateway, say, status, wait_for_go

g = gateway()
clusters = [g.new_cluster() for _ in range(2)]
clients = []
for cluster in clusters:
    cluster.scale(1)
    client = cluster.get_client(set_as_default=False)
    client.wait_for_workers(1, timeout=100)
    clients.append(client)


def work(seconds, path):
    """Ends some time after the file is there."""
    import os
    import time

    while not os.path.exists(path):
        time.sleep(0.05)
    time.sleep(seconds)
    return os.getpid()


import tempfile  # noqa: E402

flag = tempfile.mktemp()
futures = [client.submit(work, 1, flag, pure=False) for client in clients]
results = [None, None]


def block(n):
    results[n] = futures[n].result(timeout=100)


threads = [threading.Thread(target=block, args=(n,)) for n in range(2)]
for thread in threads:
    thread.start()
workers = [client.scheduler_info()["workers"] for client in clients]
say("blocked", *(c.name for c in clusters))
wait_for_go()  # the gateway is killed, and stays away for a while
open(flag, "w").close()
for thread in threads:
    thread.join()
assert all(isinstance(r, int) for r in results), results
say("results came through")
wait_for_go()  # it is back
assert [status(g, c.name) for c in clusters] == ["RUNNING", "RUNNING"]
for client, before in zip(clients, workers):
    assert list(client.scheduler_info()["workers"]) == list(before), "the same workers"
    assert client.status == "running"
clusters[0].scale(2)
clients[0].wait_for_workers(2, timeout=100)
futures.clear()  # a worker that alone holds a result is not retired
clusters[1].scale(0)
eventually("none left", lambda: not clients[1].scheduler_info()["workers"])
say("scaled")
wait_for_go()
names = [c.name for c in clusters]
for client, cluster in zip(clients, clusters):
    client.close()
    cluster.shutdown()
for name in names:
    eventually("at rest", lambda: status(g, name) == "STOPPED")
done()
