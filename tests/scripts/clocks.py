"""The clock of the gateway's machine is set while clusters run; the test does that."""

import sys
import time

from limits_story import api
from story import done, eventually, gateway, say, status, wait_for_go

alice = gateway("alice")
cluster = alice.new_cluster()
cluster.scale(1)
client = cluster.get_client(set_as_default=False)
client.wait_for_workers(1, timeout=100)
idle = alice.new_cluster(idle_timeout=1800, lifetime=2400)


def explained(name):
    return api(alice, "GET", f"clusters/{name}/explain")


eventually("it is known", lambda: explained(cluster.name)["workers"]["running"] == 1)
ends_in = explained(idle.name)["ends_at"] / 1000 - time.time()
say("one worker")
wait_for_go()  # the clock is set
step = float(sys.argv[2])
# the gateway looks at its clock about once a second
eventually("the lifetime moves along", lambda: abs(explained(idle.name)["ends_at"] / 1000 - time.time() - step - ends_in) < 90)
cluster.scale(2)
client.wait_for_workers(2, timeout=100)
new = alice.new_cluster()
new.scale(1)
with new.get_client(set_as_default=False) as other:
    other.wait_for_workers(1, timeout=100)
eventually("both are known", lambda: explained(cluster.name)["workers"]["running"] == 2)
for name in cluster.name, idle.name, new.name:
    assert status(alice, name) == "RUNNING", explained(name)
    assert not explained(name)["tasks"], explained(name)
say("nothing ended")
wait_for_go()  # the gateway was started anew, and the clock set meanwhile
cluster.scale(3)
client.wait_for_workers(3, timeout=100)
assert status(alice, idle.name) == "RUNNING", explained(idle.name)
client.close()
done()
