"""A session in which everything is asked for that a user can ask for; in between, a worker is killed."""

import json
import os
import urllib.error
import urllib.request
from http.cookiejar import CookieJar

from story import ADDRESS, done, eventually, gateway, say, status, wait_for_go

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


class Watched(urllib.request.HTTPRedirectHandler):
    """Follows redirects, and remembers them."""

    seen = []

    def redirect_request(self, request, file, code, message, headers, url):
        self.seen.append(url)
        return super().redirect_request(request, file, code, message, headers, url)


passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
passwords.add_password(None, ADDRESS, "alice", os.environ["FAREGATE_PASSWORD"])
no_proxy, jar = urllib.request.ProxyHandler({}), CookieJar()
sign_in = urllib.request.HTTPBasicAuthHandler(passwords)
browser = urllib.request.build_opener(no_proxy, Watched, sign_in, urllib.request.HTTPCookieProcessor(jar))
assert cluster.dashboard_link == f"{ADDRESS}/clusters/{cluster.name}/status", cluster.dashboard_link
assert b"bokeh" in browser.open(cluster.dashboard_link).read().lower()
by_ticket, clean = Watched.seen
assert clean.endswith(f"/clusters/{cluster.name}/status") and not clean.startswith(ADDRESS), Watched.seen
assert b"bokeh" in browser.open(clean).read().lower(), "with the cookie alone"
for used_up in [by_ticket, clean]:
    try:
        page = urllib.request.build_opener(no_proxy).open(used_up).read()
        raise AssertionError(page)
    except urllib.error.HTTPError as error:
        assert error.code == 401, (used_up, error)
say("ticket", by_ticket.split("/")[-2])
say("pass", next(cookie.value for cookie in jar if cookie.name.endswith("faregate-dashboard")))
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
