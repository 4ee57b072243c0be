"""A JupyterHub with its npm proxy, whose users' servers are processes of this machine, and the gateway as its service.

The environment says where: `PEER_DIR`, `PEER_PORTS` (public, hub, proxy's API), `PEER_PROXY` (the npm proxy's program), `PEER_GATEWAY`
(the gateway's address), `PEER_TOKENS` (of the gateway, of the driver).
"""

import os
import sys
from pathlib import Path

directory = Path(os.environ["PEER_DIR"])
public, hub, api = os.environ["PEER_PORTS"].split(",")
of_gateway, of_driver = os.environ["PEER_TOKENS"].split(",")
programs = Path(sys.executable).parent
SERVICE = "access:services!service=dask-gateway"

c = get_config()  # noqa: F821
c.JupyterHub.bind_url = f"http://127.0.0.1:{public}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{hub}"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{api}"
c.ConfigurableHTTPProxy.command = [os.environ["PEER_PROXY"]]
c.JupyterHub.db_url = f"sqlite:///{directory}/hub.sqlite"
c.JupyterHub.cookie_secret_file = f"{directory}/cookie_secret"
c.ConfigurableHTTPProxy.pid_file = f"{directory}/proxy.pid"

c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allowed_users = {"alice"}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = f"{directory}/{{username}}"
c.Spawner.cmd = [str(programs / "jupyterhub-singleuser")]
c.Spawner.args = ["--allow-root"]
c.Spawner.environment = {
    "JUPYTERHUB_SINGLEUSER_APP": "jupyter_server.serverapp.ServerApp",
    "PATH": f"{programs}:{os.environ['PATH']}",
    "PEER_DIR": str(directory),
}

c.JupyterHub.load_groups = {"science": {"users": ["alice"]}}
c.JupyterHub.services = [
    {"name": "dask-gateway", "url": os.environ["PEER_GATEWAY"], "api_token": of_gateway},
    {"name": "driver", "api_token": of_driver},
]
c.JupyterHub.load_roles = [
    {"name": "driver", "services": ["driver"], "scopes": ["admin:servers", "read:users", "access:servers", "tokens", SERVICE]},
    {"name": "dask-gateway", "services": ["dask-gateway"], "scopes": ["read:users"]},
    {"name": "user", "scopes": ["self", SERVICE]},
    # what the token of a user's server may do: a notebook has no other
    {"name": "server", "scopes": [SERVICE, "users:activity!user", "access:servers!server"]},
]
