"""What a user reads while something goes wrong: a busy scheduler, one that is stopped, workers that fail to start, files that grow."""

import os
import time

from limits_story import api, plain, reason
from story import done, eventually, gateway, say, status, wait_for_go

alice, bob, carol, dave = (gateway(name) for name in ("alice", "bob", "carol", "dave"))


def waiting(who, name):
    told = api(who, "GET", f"clusters/{name}/explain")["waiting"]
    return told["message"] if told else ""


def told(who, name, what):
    def is_told():
        message = waiting(who, name)
        return what in message and message

    return plain(eventually(what, is_told))


cluster = alice.new_cluster()
cluster.scale(1)
client = cluster.get_client(set_as_default=False)
client.wait_for_workers(1, timeout=100)
future = client.submit(lambda: 41 + 1)
assert future.result() == 42


async def spin(dask_scheduler, seconds):  # one that the scheduler does not wait for
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


say("running", cluster.name)
wait_for_go()
busy = client.run_on_scheduler(spin, seconds=25, wait=False)
say("busy:", told(alice, cluster.name, "computes"))
eventually("it answers again", lambda: not waiting(alice, cluster.name))
assert status(alice, cluster.name) == "RUNNING" and future.result() == 42

say("hold")
wait_for_go()  # its process is stopped
say("stopped:", told(alice, cluster.name, "SIGSTOP"))
say("continue")
wait_for_go()
eventually("it answers again", lambda: not waiting(alice, cluster.name))
assert client.submit(lambda: 1, pure=False).result() == 1
client.close()
cluster.shutdown()

broken = bob.new_cluster(profile="broken")
broken.scale(1)
say("a worker that fails:", told(bob, broken.name, "1 of 3 tries"))
eventually("three tries", lambda: status(bob, broken.name) == "FAILED")
say("three tries:", reason(bob, broken.name))

late = carol.new_cluster(profile="broken late", idle_timeout=3)
late.scale(1)
eventually("it ends", lambda: status(carol, late.name) in ("FAILED", "STOPPED"))
say("not idle:", reason(carol, late.name))


def write(mib):
    with open("results", "ab") as file:
        file.write(os.urandom(mib << 20))


def warnings(who, name):
    return [warning["message"] for warning in api(who, "GET", f"clusters/{name}/explain")["warnings"]]


growing = dave.new_cluster()
growing.scale(1)
client = growing.get_client(set_as_default=False)
client.wait_for_workers(1, timeout=100)
client.submit(write, 44, pure=False).result()
say("files:", *eventually("a warning", lambda: warnings(dave, growing.name)))
client.submit(write, 20, pure=False).result()
eventually("it ends", lambda: status(dave, growing.name) == "FAILED")
say("too many files:", plain(reason(dave, growing.name)))
done()
