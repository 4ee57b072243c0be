"""A cluster that wants one worker: what becomes of it is the test's matter. Its name; then, at each word, what it is asked."""

import base64
import json
import sys
import urllib.request

from story import ADDRESS, done, gateway, say

g = gateway()
cluster = g.new_cluster(shutdown_on_close=False)
cluster.scale(1)
say("wants one", cluster.name)


def explain():
    """What the gateway says of it."""
    request = urllib.request.Request(f"{ADDRESS}/api/v1/clusters/{cluster.name}/explain")
    request.add_header("Authorization", "Basic " + base64.b64encode(b"alice:").decode())
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        return json.dumps(json.load(answer))


for line in sys.stdin:
    if line == "explain\n":
        say("explained", explain())
    elif line == "compute\n":
        client = cluster.get_client(set_as_default=False)
        client.wait_for_workers(1, timeout=100)
        say("computed", client.submit(pow, 2, 10).result(timeout=100), *client.run(lambda dask_worker: dask_worker.name).values())
        client.close()
    elif line == "end\n":
        break
cluster.shutdown()
done()
