"""A user's cluster with so many workers, through the official client: says that it is ready, and shuts it down at the next line."""

import os
import sys

from dask_gateway import BasicAuth, Gateway

address, password, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
gateway = Gateway(address, auth=BasicAuth("ender", password))
cluster = gateway.new_cluster(shutdown_on_close=False)
if workers:
    cluster.scale(workers)
    client = cluster.get_client()
    client.wait_for_workers(workers, timeout=200)
    client.close()
print("ready", flush=True)
sys.stdin.readline()
cluster.shutdown()
os._exit(0)
