"""What users do on the machine: `session.py NAME PASSWORD WHAT DIR`. It tells the check how far it is by files in DIR.

Without a password the user's name is enough (one's own gateway).
"""

import os
import sys
import time
from pathlib import Path

from dask_gateway import BasicAuth, Gateway
from distributed import KilledWorker

ADDRESS = "http://127.0.0.1:8000"
SECONDS = 3600  # on an emulated processor
CHUNK = 64 << 20


def slow(number):
    time.sleep(0.5)
    return os.getuid(), number


def greedy(size):
    """Takes memory faster than dask's own watch looks, so that the kernel ends it."""
    blocks = []
    while len(blocks) * CHUNK < size:
        block = bytearray(CHUNK)
        block[::4096] = b"x" * (CHUNK // 4096)  # a page is taken when it is written
        blocks.append(block)
    time.sleep(60)
    return len(blocks)


def across(gateway, dir):
    """Computes while the check does what it does; goes on until the check says `enough`."""
    cluster = gateway.new_cluster(shutdown_on_close=False)
    cluster.scale(2)
    client = cluster.get_client()
    client.wait_for_workers(2, timeout=SECONDS)
    batches, total = 0, 0
    while batches == 0 or not (dir / "enough").exists():
        # longer than the interruption: they are computed and gathered across it
        futures = client.map(slow, range(total, total + 40), pure=False)
        (dir / "computing").touch()
        results = client.gather(futures)
        assert [number for _, number in results] == list(range(total, total + 40)), results
        batches, total = batches + 1, total + 40
        uids = {uid for uid, _ in results}
    print(f"{total} futures in {batches} batches, all right, by tasks of uid {uids}", flush=True)
    client.close()
    gateway.close()


def greedy_worker(gateway, dir):
    """A task that is out of memory on every worker fails; the cluster computes on."""
    cluster = gateway.new_cluster(shutdown_on_close=False)
    cluster.scale(1)
    client = cluster.get_client()
    client.wait_for_workers(1, timeout=SECONDS)
    error = client.submit(greedy, 16 << 30, retries=0).exception(timeout=SECONDS)
    assert isinstance(error, KilledWorker), error
    client.wait_for_workers(1, timeout=SECONDS)
    assert client.submit(sum, [1, 2], pure=False).result(timeout=SECONDS) == 3
    print(f"{error!r:.120}, and the cluster computes on", flush=True)
    client.close()
    cluster.shutdown()
    gateway.close()


def find(gateway, dir):
    """Finds the cluster of `across`, computes on it, stops it where the check says so."""
    (report,) = gateway.list_clusters()
    cluster = gateway.connect(report.name, shutdown_on_close=False)
    client = cluster.get_client()
    client.wait_for_workers(2, timeout=SECONDS)
    assert client.submit(sum, [1, 2], pure=False).result(timeout=SECONDS) == 3
    print(f"{report.name} is {report.status.name}, and computes", flush=True)
    client.close()
    gateway.close()


name, password, what, dir = sys.argv[1:]
{"across": across, "greedy": greedy_worker, "find": find}[what](
    Gateway(ADDRESS, auth=BasicAuth(name, password)), Path(dir)
)
