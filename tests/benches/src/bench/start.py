"""`start.py ADDRESS PASSWORD`: a user's first result, through the official client: seconds from `new_cluster` on, as one line of JSON."""

import json
import sys
import time

import dask.array as da
from dask_gateway import BasicAuth, Gateway


def first_result(client):
    client.wait_for_workers(2, timeout=120)
    total = float(da.ones((2000, 2000), chunks=(500, 500)).sum().compute())
    assert total == 4e6, total
    assert len(client.scheduler_info()["workers"]) == 2


gateway = Gateway(sys.argv[1], auth=BasicAuth("starter", sys.argv[2]))
start = time.monotonic()
cluster = gateway.new_cluster(shutdown_on_close=False)
running = time.monotonic() - start
try:
    cluster.scale(2)
    client = cluster.get_client()
    first_result(client)
    result = time.monotonic() - start
    # again, in a cluster that has nothing else to do
    cluster.scale(0)
    while client.scheduler_info()["workers"]:
        time.sleep(0.05)
    time.sleep(2)
    start = time.monotonic()
    cluster.scale(2)
    first_result(client)
    scaled = time.monotonic() - start
    client.close()
finally:
    # also of a session that fails: nothing of it shall share the machine with the next one
    gateway.stop_cluster(cluster.name)
cluster.close()
gateway.close()
print(json.dumps({"running": running, "result": result, "scaled": scaled}), flush=True)
