"""A whole session: options, a cluster, workers, a computation, adapting, the dashboard, the end.

Arguments after the address: the proxy's address, or `-`; as JSON, options that there are besides, if any.
"""

import asyncio
import json
import re
import sys
import warnings

import aiohttp
import dask.array as da
from story import done, eventually, gateway, say, status

answers = []
request = aiohttp.ClientSession._request


async def recorded(self, method, url, **kwargs):
    response = await request(self, method, url, **kwargs)
    answers.append((id(self), response.status))
    return response


aiohttp.ClientSession._request = recorded

proxy = None if sys.argv[2] == "-" else sys.argv[2]
g = gateway(proxy_address=proxy)
assert g.get_versions()["server"]["version"]
assert g.list_clusters() == []
options = g.cluster_options()
more = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
assert dict(options) == {"worker_cores": 1, "tag": "none", **more}, dict(options)
options.tag = "story"

cluster = g.new_cluster(options)
report = g.get_cluster(cluster.name)
assert report.status.name == "RUNNING" and report.options == {"worker_cores": 1, "tag": "story", **more}, report
assert [c.name for c in g.list_clusters()] == [cluster.name]

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    cluster.scale(7)
assert any("Scaling to 3 instead." in str(w.message) for w in caught), caught
cluster.scale(2)
client = cluster.get_client()
client.wait_for_workers(2, timeout=100)
assert float(da.ones((2000, 2000), chunks=500).sum().compute()) == 4e6
assert set(client.run(lambda: __import__("os").environ["TAG"]).values()) == {"story"}
blob = bytes(range(256)) * 65536
assert client.gather(client.scatter(blob)) == blob


async def dashboard():
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as browser:
        async with browser.get(cluster.dashboard_link) as page:
            assert page.status == 200, page.status
            assert page.headers["Referrer-Policy"] == "no-referrer"
            token = re.search(r'"token":"([^"]+)"', await page.text()).group(1)
            link = str(page.url)  # where the link leads
        async with browser.ws_connect(link + "/ws", protocols=("bokeh", token)) as socket:
            message = await asyncio.wait_for(socket.receive(), 60)
            assert "ACK" in message.data, message
        root = link.removesuffix("status")
        async with browser.get(root + "individual-plots.json") as plots:
            assert plots.status == 200 and "Individual Task Stream" in await plots.json()
        async with browser.get(root + "api/v1/retire_workers") as closed:
            assert closed.status == 404, closed.status
        forged = re.sub(r"-[0-9a-f]{64}/", "-" + "0" * 64 + "/", link)
        async with browser.get(forged) as closed:
            assert closed.status == 404, closed.status


# the link works without any cookie of ours, as JupyterLab's extension needs it


asyncio.run(dashboard())

cluster.adapt(minimum=0, maximum=2)
eventually("no workers while there is nothing to do", lambda: not client.scheduler_info()["workers"])
assert client.submit(lambda: 41 + 1).result(timeout=100) == 42

client.close()
name = cluster.name
cluster.shutdown()
assert g.list_clusters() == []
eventually("at rest", lambda: status(g, name) == "STOPPED")
sessions = {session for session, _ in answers}
refused = sum(code == 401 for _, code in answers)
assert refused <= len(sessions), f"{refused} times 401 in {len(sessions)} sessions"
assert all(code < 400 or code == 401 or code == 404 for _, code in answers), answers
say("name", name)
done()
