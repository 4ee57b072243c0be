"""A session whose secrets are told to the test, which looks for them; then a key is rotated under it."""

import json
import os
import urllib.error
import urllib.request
from base64 import b64encode

from dask_gateway import BasicAuth, Gateway
from story import ADDRESS, done, eventually, gateway, say, wait_for_go

PASSWORD = os.environ["FAREGATE_PASSWORD"]
BASIC = "Basic " + b64encode(f"alice:{PASSWORD}".encode()).decode()


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


plain = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay)


def ask(method, path, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(ADDRESS + path, data, {"Content-Type": "application/json", **headers}, method=method)
    try:
        answer = plain.open(request)
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, answer.headers, answer.read()


def cookie(headers, name):
    found = [line for line in headers.get_all("Set-Cookie") or [] if line.startswith(name + "=")]
    return found[0].split(";")[0].split("=", 1)[1]


g = gateway()
cluster = g.new_cluster()
cluster.scale(1)
client = cluster.get_client()
client.wait_for_workers(1, timeout=100)
assert client.submit(sum, [1, 2, 3]).result(timeout=60) == 6

scopes = ["create", "read", "stop"]
status, headers, made = ask("POST", "/api/v1/tokens", {"name": "ci", "scopes": scopes}, Authorization=BASIC)
assert status == 201, (status, made)
token = json.loads(made)["token"]
session = cookie(headers, "faregate-session")
status, headers, _ = ask("GET", f"/clusters/{cluster.name}/status", Authorization=BASIC)
assert status == 302, status
dashboard = cookie(headers, "faregate-dashboard")
status, _, page = ask("GET", f"/clusters/{cluster.name}/status", Cookie=f"faregate-dashboard={dashboard}")
assert status == 200 and b"Bokeh" in page, (status, page[:200])

say("token", token)
say("session", session)
say("dashboard", dashboard)
say("key", cluster.security.tls_key.strip().replace("\n", "|"))
say("cluster", cluster.name)
wait_for_go()

# what older keys have signed and sealed is as good as before
status, _, _ = ask("GET", "/api/v1/clusters/", Cookie=f"faregate-session={session}")
assert status == 200, status
eventually("the dashboard opens", lambda: ask("GET", f"/clusters/{cluster.name}/status", Cookie=f"faregate-dashboard={dashboard}")[0] == 200)
cluster.scale(2)
client.wait_for_workers(2, timeout=100)
assert client.submit(sum, [1, 2, 3, 4]).result(timeout=60) == 10

pipeline = Gateway(ADDRESS, auth=BasicAuth("alice", token))
assert [report.name for report in pipeline.list_clusters()] == [cluster.name]
another = pipeline.new_cluster()
assert another.get_client().submit(lambda: None) is not None
say("another", another.name)
another.shutdown()
client.close()
cluster.shutdown()
done()
