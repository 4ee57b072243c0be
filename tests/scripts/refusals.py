"""Everything that is refused, clamped or taken away, as the official client sees it."""

from concurrent.futures import ThreadPoolExecutor

from limits_story import api, caught, reason, refused, warned
from story import done, eventually, gateway, say, status, wait_for_go

alice, spender = gateway("alice"), gateway("spender")

# spends more than its budget at once
spending = spender.submit(profile="never")
cluster = alice.new_cluster()
client = cluster.get_client(set_as_default=False)
refused("one cluster too many", alice.submit)
refused("an option that is not allowed", alice.submit, tag="gold")
refused("an option that there is not", alice.submit, colour="red")
refused("a frozen user", gateway("frozen").submit)
warned("too many workers", cluster.scale, 5)
warned("an adaptive maximum over the limit", cluster.adapt, minimum=3, maximum=9)
cluster.adapt(active=False)
cluster.scale(0)

eventually("the spender is stopped", lambda: status(spender, spending) == "STOPPED")
say("stopped for its budget:", reason(spender, spending))
refused("a budget that is spent", spender.submit, profile="never")


threads = ThreadPoolExecutor()


def wait_for_a_scheduler(user):
    """Somebody who waits for a cluster that never starts: another client of theirs, the refusal to come, and the cluster's name."""
    refusal = threads.submit(lambda: caught(gateway(user).new_cluster, profile="never"))
    g = gateway(user)
    pending = eventually("a cluster", lambda: refusal.done() or g.list_clusters(status="pending"))
    assert not refusal.done(), refusal.result()
    return g, refusal, pending[0].name


dave, eve = wait_for_a_scheduler("dave"), wait_for_a_scheduler("eve")
never_done = client.submit(lambda: "there is no worker", key="never-done", pure=False)
lost = threads.submit(lambda: caught(never_done.result).split(" cancelled")[0])  # the rest are distributed's own words
say("waiting", dave[2])
wait_for_go()  # an admin stops dave's cluster, lets eve have none, freezes alice


def ended(what, g, refusal, name):
    say(f"{what}:", refusal.result(100))
    # the explanation is open to the frozen too
    eventually("at rest", lambda: api(g, "GET", f"clusters/{name}/explain")["status"] == "STOPPED")
    say("ended:", reason(g, name))


ended("dave waits", *dave)
ended("eve waits", *eve)
ended("alice computes", alice, lost, cluster.name)
refused("scale after a freeze", cluster.scale, 1)
refused("adapt after a freeze", cluster.adapt, maximum=1)
refused("a cluster after a freeze", alice.submit)
refused("a cluster where none is allowed", gateway("eve").submit)
done()
