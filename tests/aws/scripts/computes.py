"""A cluster that starts, computes and ends, whatever happens meanwhile."""

from story import done, eventually, gateway, say, status

g = gateway()
cluster = g.new_cluster()
cluster.scale(2)
client = cluster.get_client()
client.wait_for_workers(2, timeout=100)
assert client.submit(lambda: 6 * 7).result(timeout=100) == 42
client.close()
name = cluster.name
cluster.shutdown()
eventually("at rest", lambda: status(g, name) == "STOPPED")
done()
