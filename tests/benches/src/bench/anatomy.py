"""A user's first result, through the official client: when each step was over, in seconds since the epoch, as one line of JSON."""

import json
import sys
import time

from dask_gateway import BasicAuth, Gateway

gateway = Gateway(sys.argv[1], auth=BasicAuth("starter", sys.argv[2]))
gateway.list_clusters()  # signed in
at = {"asked for a cluster": time.time()}
cluster = gateway.new_cluster(shutdown_on_close=False)
at["the client knows that it is RUNNING"] = time.time()
client = cluster.get_client()
at["a client is connected"] = time.time()
cluster.scale(1)
at["scale(1) was answered"] = time.time()
assert client.submit(pow, 2, 10).result(timeout=120) == 1024
at["the first result"] = time.time()
client.close()
cluster.shutdown()
print(json.dumps([cluster.name, at]), flush=True)
