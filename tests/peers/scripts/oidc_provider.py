"""Canaille, an OpenID provider, with one user and one client.

Arguments: a directory for its keys, the port or 0, and the names of its keys: the first signs, all are published.
"""

import json
import socket
import sys
from pathlib import Path

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

directory, port, names = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]

listener = socket.create_server(("127.0.0.1", port))
port = listener.getsockname()[1]
address = f"http://127.0.0.1:{port}"


def key(name):
    path = directory / f"{name}.json"
    if not path.exists():
        path.write_text(json.dumps(RSAKey.generate_key(2048, auto_kid=True).as_dict(private=True)))
    return json.loads(path.read_text())


app = create_app(
    {
        "SECRET_KEY": "of sessions and forms",
        "SERVER_NAME": f"127.0.0.1:{port}",
        "PREFERRED_URL_SCHEME": "http",
        "CANAILLE": {"DATABASE": "memory"},
        "CANAILLE_OIDC": {"ACTIVE_JWKS": [key(name) for name in names]},
    }
)
with app.app_context():
    alice = models.User(
        user_name="alice",
        password="in wonderland",
        formatted_name="Alice",
        family_name="Liddell",
        emails=["alice@example.org"],
    )
    Backend.instance.save(alice)
    Backend.instance.save(models.Group(display_name="science", members=[alice]))
    client = models.Client(
        client_id="dask",
        client_secret="between the two",
        client_name="Dask",
        client_uri=address,
        redirect_uris=["http://127.0.0.1/signed-in"],
        grant_types=["authorization_code"],
        response_types=["code"],
        scope=["openid", "profile", "groups"],
        token_endpoint_auth_method="client_secret_basic",
    )
    Backend.instance.save(client)
    client.audience = [client]
    Backend.instance.save(client)

server = make_server("127.0.0.1", port, app, threaded=True, fd=listener.fileno())
print("ready", address, flush=True)
server.serve_forever()
