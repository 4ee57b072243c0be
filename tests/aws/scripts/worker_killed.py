"""One of two workers is killed: another comes, and what it alone held is computed again."""

from story import done, eventually, gateway, say, wait_for_go

g = gateway()
cluster = g.new_cluster()
cluster.scale(2)
client = cluster.get_client()
client.wait_for_workers(2, timeout=100)


def names():
    return {w["name"] for w in client.scheduler_info()["workers"].values()}


before = names()
futures = client.map(lambda x: x + 1, range(20))
client.gather(futures)
say("cluster", cluster.name)
wait_for_go()
eventually("another worker", lambda: len(now := names()) == 2 and now != before)
assert len(names() & before) == 1, (names(), before)
assert client.gather(futures) == list(range(1, 21))
client.close()
cluster.shutdown()
done()
