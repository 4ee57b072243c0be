"""Limits are edited while clusters run; clusters end for what their users or schedulers do not do."""

from limits_story import api, plain, reason, refused, warned
from story import done, eventually, gateway, say, status, wait_for_go

alice, bob, carol = gateway("alice"), gateway("bob"), gateway("carol")
hung, lonely = carol.submit(), bob.submit(no_client_timeout=2)
cluster = alice.new_cluster(lifetime=3000)
cluster.scale(2)
eventually("it runs", lambda: status(carol, hung) == "RUNNING")
say("running", hung)
wait_for_go()  # its scheduler is held

client = cluster.get_client(set_as_default=False)
client.wait_for_workers(2, timeout=100)


def explained():
    return api(alice, "GET", f"clusters/{cluster.name}/explain")


# until a heartbeat has named them, the gateway takes them for workers that never connected
eventually("both are known", lambda: explained()["workers"]["running"] == 2)


def workers():
    return list(client.scheduler_info()["workers"])


blobs = [bytes([n]) * 100_000 for n in range(2)]
futures = [client.scatter(blob, workers=[worker]) for blob, worker in zip(blobs, workers())]
assert len({owners for keys in [client.who_has(futures)] for owners in keys.values()}) == 2, client.who_has(futures)
say("on both workers")
wait_for_go()  # alice may have one worker
eventually("one worker", lambda: len(workers()) == 1)
assert client.gather(futures) == blobs
warned("fewer workers", of="UserWarning")
say("one left")
wait_for_go()  # as many as before, and a life of five minutes
warned("a short life", of="UserWarning", about="max_lifetime")
say("what was warned of:", *eventually("a note of it", lambda: [w["code"] for w in explained()["warnings"]]))
extend = f"clusters/{cluster.name}/extend"
refused("too long a life", api, alice, "POST", extend, {"seconds": 1000})
say("short")
wait_for_go()  # for two hours
eventually("it may live longer", lambda: api(alice, "GET", "limits")["limits"]["max_lifetime"]["limit"] == 7200)
refused("still too long a life", api, alice, "POST", extend, {"seconds": 100_000})
api(alice, "POST", extend, {"seconds": 3600})
say("extended:", plain(explained()["ends_by"]))

eventually("nobody cares", lambda: status(bob, lonely) == "STOPPED")
say("lonely:", reason(bob, lonely))
eventually("no heartbeat", lambda: status(carol, hung) == "FAILED")
say("hung:", reason(carol, hung))
client.wait_for_workers(2, timeout=100)
client.close()
cluster.shutdown()
done()
