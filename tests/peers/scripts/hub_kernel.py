"""What a user runs in a notebook: the official client, with what the hub has put into its environment and nothing else."""

import recorded
import dask.array as da
from dask_gateway import Gateway

g = Gateway(GATEWAY, proxy_address=RELAY, auth="jupyterhub")
assert g.list_clusters() == []
cluster = g.new_cluster()
cluster.scale(1)
client = cluster.get_client()
client.wait_for_workers(1, timeout=100)
assert float(da.ones((1000, 1000), chunks=500).sum().compute()) == 1e6
assert client.submit(lambda: 41 + 1).result(timeout=100) == 42
assert [c.name for c in g.list_clusters()] == [cluster.name]
client.close()
cluster.shutdown()
assert g.list_clusters() == []
recorded.assert_one_401_a_session()
g.close()
print("computed for", __import__("os").environ["JUPYTERHUB_USER"])
