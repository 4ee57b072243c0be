"""What the stories share: the address, a line said, a line awaited, a condition awaited."""

import os
import sys
import time

from dask_gateway import BasicAuth, Gateway

ADDRESS = sys.argv[1]
PATIENCE = 100


def gateway(user="alice", password=None, **kwargs):
    return Gateway(ADDRESS, auth=BasicAuth(user, password or os.environ.get("FAREGATE_PASSWORD")), **kwargs)


def say(*words):
    print(*words, flush=True)


def wait_for_go():
    line = sys.stdin.readline()
    assert line == "go on\n", line


def eventually(what, condition):
    deadline = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE} s"
        time.sleep(0.1)


def status(gateway, name):
    return gateway.get_cluster(name).status.name


def done():
    say("done")
    os._exit(0)
