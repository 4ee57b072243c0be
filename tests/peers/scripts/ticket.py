"""A whole session of the official client with a Kerberos ticket: sign-in, a cluster, workers, a computation, the end."""

import sys
from pathlib import Path

import aiohttp
import dask.array as da
from dask_gateway import Gateway
from dask_gateway.auth import KerberosAuth
from multidict import CIMultiDict, CIMultiDictProxy

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
from story import ADDRESS, done, eventually, status

answers, renamed = [], []
request = aiohttp.ClientSession._request


async def recorded(self, method, url, **kwargs):
    response = await request(self, method, url, **kwargs)
    answers.append((id(self), response.status))
    if renamed:  # as some front doors do
        names = ((name if name.lower() != "www-authenticate" else renamed[0], value) for name, value in response.headers.items())
        response._headers = CIMultiDictProxy(CIMultiDict(names))
        response._cache.pop("headers", None)
    return response


aiohttp.ClientSession._request = recorded

g = Gateway(ADDRESS, auth="kerberos")
assert g.list_clusters() == []
cluster = g.new_cluster()
assert g.get_cluster(cluster.name).status.name == "RUNNING"
cluster.scale(1)
client = cluster.get_client()
client.wait_for_workers(1, timeout=100)
assert float(da.ones((1000, 1000), chunks=500).sum().compute()) == 1e6
client.close()

# the client wants the mutual reply on errors too: without it this would be "Kerberos negotiation failed"
other = Gateway(ADDRESS, auth="kerberos")
try:
    other.get_cluster("0" * 32)
except ValueError as error:
    assert "0" * 32 in str(error), error
else:
    raise AssertionError("a cluster that there is not")
assert [c.name for c in other.list_clusters()] == [cluster.name]

# where the header is renamed, it is the gateway's answer that the client misses: it asks by itself, whatever a 401 says
class TicketAuth(KerberosAuth):
    def post_response(self, resp, context):
        pass  # HTTPS has shown who the gateway is


renamed.append("x-amzn-Remapped-WWW-Authenticate")
try:
    Gateway(ADDRESS, auth="kerberos").list_clusters()
except Exception as error:
    assert "Kerberos negotiation failed" in str(error), error
else:
    raise AssertionError("the official client does not want the gateway's answer")
assert [c.name for c in Gateway(ADDRESS, auth=TicketAuth()).list_clusters()] == [cluster.name]
renamed.clear()

name = cluster.name
cluster.shutdown()
assert g.list_clusters() == []
eventually("at rest", lambda: status(g, name) == "STOPPED")
refused = [session for session, code in answers if code == 401]
assert len(refused) == len(set(refused)) >= 2, f"more than one 401 in a session: {answers}"
done()
