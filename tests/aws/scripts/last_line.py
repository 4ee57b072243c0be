"""A scheduler that fails as it starts: the client's exception has the last line that it wrote, and `explain` the lines before it."""

import base64
import json
import urllib.request

from dask_gateway import GatewayClusterError
from story import ADDRESS, done, eventually, gateway, os

g = gateway("rita")
missing = {"DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES": '["no_such_module"]'}
try:
    g.new_cluster(environment=missing)
    raise AssertionError("it started")
except GatewayClusterError as error:
    said = str(error)
assert "exited with code 1: ModuleNotFoundError: No module named 'no_such_module'" in said, said

try:
    g.submit(environment={"A": "x" * 8000})
    raise AssertionError("it was taken")
except ValueError as error:
    assert "`environment` is too long" in str(error), error

[cluster] = eventually("failed", lambda: g.list_clusters(status="failed"))
request = urllib.request.Request(f"{ADDRESS}/api/v1/clusters/{cluster.name}/explain")
credentials = f"rita:{os.environ['FAREGATE_PASSWORD']}".encode()
request.add_header("Authorization", "Basic " + base64.b64encode(credentials).decode())
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
explained = json.load(opener.open(request))
for task in explained["tasks"]:
    assert task["exit_code"] == 1 and len(task["last_lines"]) > 3, task
    assert task["last_lines"][-1].startswith("ModuleNotFoundError"), task
done()
