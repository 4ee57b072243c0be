"""What an administrator asks for: limits set, in force, and taken away; everybody's clusters, usage, and what admins did."""

import base64
import json
import os
import urllib.error
import urllib.request

from story import ADDRESS, done, eventually, say, wait_for_go

opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(user, method, path, body=None, token=None):
    credentials = base64.b64encode(f"{user}:{token or os.environ['FAREGATE_PASSWORD']}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with opener.open(urllib.request.Request(ADDRESS + path, data, headers, method=method)) as answer:
        return json.load(answer)


ask("root", "PATCH", "/api/v1/admin/limits/user:alice", {"set": {"clusters": 7, "memory": "64 G"}, "why": "a test"})
say("set")
wait_for_go()


def mine():
    return ask("alice", "GET", "/api/v1/limits")["limits"]["clusters"]


eventually("the limit is known", lambda: mine()["limit"] == 7)
assert mine()["from"] == "user:alice" and mine()["used"] >= 1, mine()
usage = ask("alice", "GET", "/api/v1/usage")
assert usage["total"]["usd"] > 0, usage
clusters = ask("root", "GET", "/api/v1/admin/clusters?user=alice")
assert clusters, clusters
assert ask("root", "GET", "/api/v1/admin/usage"), "everybody's usage"
made = ask("alice", "POST", "/api/v1/tokens", {"name": "ci", "scopes": ["read"]})
assert ask("alice", "GET", "/api/v1/clusters/", token=made["token"]), "alice's clusters, for her pipeline"
assert [row["id"] for row in ask("alice", "GET", "/api/v1/tokens")["tokens"]] == [made["id"]]
ask("root", "DELETE", f"/api/v1/admin/tokens/{made['id']}")


def refused():
    try:
        ask("alice", "GET", "/api/v1/clusters/", token=made["token"])
    except urllib.error.HTTPError as error:
        return error.code == 401
    return False


# another function that knew it may go on for a minute
eventually("a revoked token is good for nothing", refused)
ask("root", "PATCH", "/api/v1/admin/limits/user:alice", {"unset": ["clusters", "memory"], "why": "it is over"})
audit = json.dumps(ask("root", "GET", "/api/v1/admin/audit"))
assert "a test" in audit and "it is over" in audit, audit
say("taken away")
wait_for_go()
done()
