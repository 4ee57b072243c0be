"""A whole session through the official client. Says what it does as JSON lines; `faregate demo` shows them."""

import json
import sys
import time
import urllib.request

import dask.array as da
import distributed
from dask_gateway import BasicAuth, Gateway

address = sys.argv[1]


def say(**message):
    print(json.dumps(message), flush=True)


class step:
    """One step: its name when it begins, its seconds and what came of it when it is done."""

    def __init__(self, name):
        self.name = name
        self.detail = ""

    def __enter__(self):
        say(begin=self.name)
        self.start = time.monotonic()
        return self

    def __exit__(self, kind, error, trace):
        if error is None:
            say(done=self.name, seconds=time.monotonic() - self.start, detail=self.detail)


def wait_for(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def fetch(url):
    """As a browser would, but never through a proxy of the environment."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=30) as answer:
        return answer.read()


with step("sign in, read the options") as s:
    gateway = Gateway(address, auth=BasicAuth("demo"))
    options = gateway.cluster_options()
    s.detail = ", ".join(f"{name} = {value}" for name, value in options.items())

with step("new cluster") as s:
    options.worker_cores = 1
    cluster = gateway.new_cluster(options)
    s.detail = cluster.name

with step("scale to 2 workers") as s:
    client = cluster.get_client()
    cluster.scale(2)
    client.wait_for_workers(2, timeout=120)
    s.detail = f"dask {distributed.__version__}"

with step("compute with dask.array") as s:
    assert float(da.ones((2000, 2000), chunks=500).sum().compute()) == 4e6
    x = da.random.default_rng(1).random((8000, 8000), chunks=1000)
    mean, spread = (float(v) for v in da.compute(x.mean(), x.std()))
    assert abs(mean - 0.5) < 0.001 and abs(spread - 12**-0.5) < 0.001, (mean, spread)
    s.detail = f"512 MB of random numbers: mean {mean:.5f}"

with step("open the dashboard") as s:
    base = cluster.dashboard_link.rsplit("/", 1)[0]
    page = fetch(cluster.dashboard_link)
    plots = json.loads(fetch(base + "/individual-plots.json"))
    assert b"<html" in page and plots
    s.detail = f"{len(page)} bytes, {len(plots)} plots"

with step("adapt down to none") as s:
    cluster.adapt(minimum=0, maximum=2)
    wait_for(lambda: not client.scheduler_info()["workers"], "no workers")

with step("adapt up for new work") as s:
    futures = client.map(lambda n: n * n, range(100), pure=False)
    total = sum(client.gather(futures))
    assert total == 328350, total
    s.detail = f"100 tasks on {len(client.scheduler_info()['workers'])} worker(s)"

with step("shut the cluster down") as s:
    name = cluster.name
    client.close()
    cluster.shutdown()
    assert gateway.list_clusters() == []
    wait_for(lambda: gateway.get_cluster(name).status.name == "STOPPED", "STOPPED")
    gateway.close()
