"""A session whose tokens an OpenID provider signs, which changes its key meanwhile and is gone in the end.

Argument after the address: the file with the token.
"""

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

import recorded
import dask.array as da
from story import ADDRESS, done, eventually, gateway, say, status, wait_for_go

token_file = Path(sys.argv[2])


def get(path, token):
    headers = {"Authorization": f"Bearer {token}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(ADDRESS + path, headers=headers)) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, None


first = token_file.read_text()
g = gateway("alice", first)
assert g.list_clusters() == []
cluster = g.new_cluster()
cluster.scale(1)
client = cluster.get_client()
client.wait_for_workers(1, timeout=100)
assert float(da.ones((1000, 1000), chunks=500).sum().compute()) == 1e6
code, limits = get("/api/v1/limits", first)
assert code == 200 and "group:science" in limits["groups"], limits
assert get("/api/v1/limits", first[:-8] + "AAAAAAAA")[0] == 401

say("computed")
wait_for_go()
second = token_file.read_text()
assert second != first
# the new key is looked for at most a minute after the last time
eventually("the new key is known", lambda: get("/api/v1/limits", second)[0] == 200)
assert get("/api/v1/limits", first)[0] == 401, "its key was withdrawn"
assert [c.name for c in g.list_clusters()] == [cluster.name], "who is signed in stays so"

say("rotated")
wait_for_go()
with gateway("alice", second) as another:
    assert [c.name for c in another.list_clusters()] == [cluster.name]
assert client.submit(lambda: 41 + 1).result(timeout=100) == 42
client.close()
name = cluster.name
cluster.shutdown()
eventually("at rest", lambda: status(g, name) == "STOPPED")
recorded.assert_one_401_a_session()
done()
