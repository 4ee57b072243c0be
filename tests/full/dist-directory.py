"""A user of the directory signs in by being the peer, and computes as the account."""

import getpass
import os
import sys

from dask_gateway import Gateway

with Gateway(sys.argv[1]) as gateway:
    cluster = gateway.new_cluster()
    cluster.scale(1)
    client = cluster.get_client()
    client.wait_for_workers(1, timeout=180)
    who = lambda: (os.getuid(), sorted(os.getgroups()), getpass.getuser(), os.path.expanduser("~"))
    (found,) = client.run(who).values()
    print(found)
    assert found == (61234, [61234, 61300], "dora", "/home/dora"), found
    cluster.shutdown()
