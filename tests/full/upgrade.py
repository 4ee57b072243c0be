"""What users do across an upgrade: `upgrade.py ADDRESS DIR`. Told by files in DIR, and tells by others, how far it is."""

import sys
import threading
import time
from pathlib import Path

from dask_gateway import BasicAuth, Gateway

address, dir = sys.argv[1], Path(sys.argv[2])
SECONDS = 120


def say(text):
    print(f"   {text}", flush=True)


def until(condition, what, seconds=SECONDS):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} seconds"
        time.sleep(0.1)


def slow_square(number):
    time.sleep(0.2)
    return number * number


class Computing(threading.Thread):
    """Computes on a cluster without a pause, until it is told that it is enough."""

    def __init__(self, number, cluster, batch):
        super().__init__(daemon=True)
        self.number, self.cluster, self.size = number, cluster, batch
        self.client = cluster.get_client()
        self.batches = self.computed = 0
        self.longest = 0.0
        self.enough = threading.Event()
        self.error = None

    def run(self):
        try:
            while not self.enough.is_set():
                self.batch()
        except BaseException as error:
            self.error = error

    def batch(self):
        numbers = range(self.computed, self.computed + self.size)
        start = time.monotonic()
        futures = self.client.map(slow_square, numbers, pure=False)
        results = self.client.gather(futures)
        assert results == [n * n for n in numbers], results
        self.longest = max(self.longest, time.monotonic() - start)
        self.computed += len(numbers)
        self.batches += 1
        (dir / f"computing-{self.number}").touch()

    def workers(self):
        return len(self.client.scheduler_info(n_workers=-1)["workers"])

    def check(self):
        if self.error:
            raise self.error
        assert self.is_alive()
        return True

    def finish(self):
        self.check()
        self.enough.set()
        self.join(SECONDS)
        if self.error:
            raise self.error
        assert not self.is_alive(), "a batch does not end"
        say(f"{self.cluster.name}: {self.computed} results in {self.batches} batches, all right; the longest took {self.longest:.1f} s")


gateway = Gateway(address, auth=BasicAuth("alice"))

# one that has ended by then, for its record and its share of the ledger
with gateway.new_cluster() as ended, ended.get_client() as client:
    ended.scale(1)
    assert client.submit(sum, [1, 2], pure=False).result(timeout=SECONDS) == 3
until(lambda: gateway.get_cluster(ended.name).status.name == "STOPPED", "STOPPED")
say(f"one cluster has computed and is stopped: {ended.name}")

clusters = [gateway.new_cluster(shutdown_on_close=False) for _ in range(2)]
for cluster in clusters:
    cluster.scale(2)
# the second one's batches are 20 seconds of work: enough for adaptive scaling to want four workers
computing = [Computing(0, clusters[0], 20), Computing(1, clusters[1], 100)]
for one in computing:
    one.client.wait_for_workers(2, timeout=SECONDS)
    one.start()
say(f"two clusters compute: {', '.join(cluster.name for cluster in clusters)}")

until(lambda: all(one.check() for one in computing) and (dir / "upgraded").exists(), "the upgrade", 600)
batches = [one.batches for one in computing]
reports = {report.name: report.status.name for report in gateway.list_clusters()}
assert reports == {cluster.name: "RUNNING" for cluster in clusters}, reports
assert gateway.get_cluster(ended.name).status.name == "STOPPED"
say("after the upgrade both are RUNNING, and so listed")

first, second = clusters
first.scale(3)
until(lambda: computing[0].check() and computing[0].workers() == 3, "three workers")
say("scale(3): three workers")
second.adapt(minimum=1, maximum=4)
until(lambda: computing[1].check() and computing[1].workers() > 2, "adapt up")
say(f"adapt(1, 4): {computing[1].workers()} workers under load")
until(lambda: all(one.check() and one.batches > n + 1 for one, n in zip(computing, batches)), "batches since the upgrade")

# somebody who comes later finds them
with Gateway(address, auth=BasicAuth("alice")) as other:
    with other.connect(first.name, shutdown_on_close=False) as found, found.get_client() as client:
        assert client.submit(sum, [1, 2], pure=False).result(timeout=SECONDS) == 3
say("another client connects, and computes")
(dir / "scaled").touch()

third = gateway.new_cluster(shutdown_on_close=False)
third.scale(1)
with third.get_client() as client:
    client.wait_for_workers(1, timeout=SECONDS)
    assert client.submit(sum, [1, 2], pure=False).result(timeout=SECONDS) == 3
say(f"a new cluster computes: {third.name}")
try:
    gateway.new_cluster(shutdown_on_close=False)
except Exception as error:
    say(f"a fourth is refused: {error}")
else:
    raise AssertionError("the limit of three clusters does not hold")
(dir / "new-cluster").touch()

for one in computing:
    one.finish()
until(lambda: computing[1].workers() == 1, "adapt down")
say("adapt(1, 4): one worker when nothing is left to do")
for one in computing:
    one.client.close()
until(lambda: len(gateway.list_clusters()) == 3, "three clusters")
for cluster in [*clusters, third]:
    cluster.shutdown()
assert gateway.list_clusters() == []
for cluster in [*clusters, third]:
    until(lambda: gateway.get_cluster(cluster.name).status.name == "STOPPED", "STOPPED")
say("all three are STOPPED")
gateway.close()
(dir / "stopped").touch()
