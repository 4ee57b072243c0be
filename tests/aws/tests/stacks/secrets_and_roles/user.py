"""A session in which everything is asked for that a user can ask for; in between, a worker is killed."""

import json
import urllib.request
from http.cookiejar import CookieJar

from story import done, eventually, gateway, say, status, wait_for_go

g = gateway()
g.cluster_options()
cluster = g.new_cluster(idle_timeout=600)
cluster.scale(2)
client = cluster.get_client()
client.wait_for_workers(2, timeout=100)


def names():
    return {w["name"] for w in client.scheduler_info()["workers"].values()}


before = names()
assert client.gather(client.map(lambda x: x + 1, range(20))) == list(range(1, 21))
assert [c.name for c in g.list_clusters()].count(cluster.name) == 1
browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar()))
assert b"bokeh" in browser.open(cluster.dashboard_link).read().lower()
say("key", json.dumps(cluster.security.tls_key))
say("cluster", cluster.name)
wait_for_go()
eventually("another worker", lambda: len(now := names()) == 2 and now != before)
say("replaced")
wait_for_go()
cluster.adapt(minimum=1, maximum=1)
eventually("fewer workers", lambda: len(names()) == 1)
cluster.adapt(active=False)
client.close()
cluster.shutdown()
eventually("at rest", lambda: status(g, cluster.name) == "STOPPED")
done()
