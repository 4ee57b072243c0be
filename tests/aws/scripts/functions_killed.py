"""Functions are killed in the middle of anything: what was asked for comes all the same, once."""

from story import done, eventually, gateway, say, status, wait_for_go

g = gateway()
cluster = g.new_cluster()
cluster.scale(1)
client = cluster.get_client()
client.wait_for_workers(1, timeout=100)
say("cluster", cluster.name)
wait_for_go()


def asked(what):
    """A request whose function is killed is answered with an error, and asked again."""
    try:
        what()
        return True
    except Exception as error:
        say("again", type(error).__name__)
        return False


eventually("scaled", lambda: asked(lambda: cluster.scale(3)))
client.wait_for_workers(3, timeout=100)
assert client.submit(lambda: 6 * 7).result(timeout=100) == 42
say("scaled", cluster.name)
wait_for_go()
client.close()
name = cluster.name
cluster.shutdown()
eventually("at rest", lambda: status(g, name) == "STOPPED")
done()
