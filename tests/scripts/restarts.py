"""Workers that restart are not replaced; one that is killed is, once."""

import logging
import os
import time

from distributed import PipInstall
from story import done, eventually, gateway, say, wait_for_go

logging.getLogger("distributed").setLevel(logging.ERROR)
g = gateway()
cluster = g.new_cluster()
cluster.scale(2)
client = cluster.get_client()
client.wait_for_workers(2, timeout=100)


def names():
    return sorted(w["name"] for w in client.scheduler_info()["workers"].values())


before = names()
pids = sorted(client.run(os.getpid).values())
say("two workers of", cluster.name)

client.restart(timeout=100)
client.wait_for_workers(2, timeout=100)
assert names() == before, (names(), before)
assert sorted(client.run(os.getpid).values()) != pids, "they did restart"
say("restarted")

client.register_plugin(PipInstall(packages=["six"], restart_workers=True))
client.wait_for_workers(2, timeout=100)
assert names() == before
say("installed")


def hog():
    import time

    hoard = []
    while True:
        hoard.append(bytearray(os.urandom(1 << 20)) * 32)
        time.sleep(0.005)


def worker_pids():
    try:
        return sorted(client.run(os.getpid).values())
    except Exception:
        return []


pids = worker_pids()
future = client.submit(hog, pure=False, retries=0)
eventually("a worker killed for its memory", lambda: (p := worker_pids()) and p != pids)
future.cancel()
client.wait_for_workers(2, timeout=100)
assert names() == before, (names(), before)
say("survived", *names())
wait_for_go()  # one worker and its nanny are killed
eventually("another worker", lambda: len(n := names()) == 2 and n != before)
assert len(set(names()) & set(before)) == 1, (names(), before)
assert client.submit(lambda: 1 + 1).result(timeout=100) == 2
say("replaced", *names())
wait_for_go()
client.close()
cluster.shutdown()
done()
