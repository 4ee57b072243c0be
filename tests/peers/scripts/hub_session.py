"""Starts a user's server at the hub, runs the official client in a kernel of it, and presents other tokens to the gateway.

Arguments after the hub's address: the gateway's address behind the hub, its relay's address, the token that may administer the hub.
"""

import asyncio
import base64
import json
import sys
import uuid
from pathlib import Path

import aiohttp
from story import ADDRESS, done, say, wait_for_go

GATEWAY, RELAY, TOKEN = sys.argv[2:5]
HERE = Path(__file__).parent
HUB = f"{ADDRESS}/hub/api"


async def hub(session, method, path, token=TOKEN, **kwargs):
    headers = {"Authorization": f"token {token}"}
    async with session.request(method, HUB + path, headers=headers, **kwargs) as answer:
        assert answer.status < 400, (method, path, answer.status, await answer.text())
        return await answer.json() if answer.content_type == "application/json" else None


async def gateway(session, token):
    """The answer's status, what it says, what it demands, and what the new session says of whose it is."""
    async with session.get(f"{GATEWAY}/api/v1/limits", headers={"Authorization": f"jupyterhub {token}"}) as answer:
        cookie = answer.cookies.get("faregate-session")
        who = json.loads(base64.urlsafe_b64decode(cookie.value.split(".")[1] + "==")) if cookie else None
        return answer.status, await answer.json(), answer.headers.get("WWW-Authenticate"), who


async def start_server(session):
    await hub(session, "POST", "/users/alice/server")
    for _ in range(1000):
        server = (await hub(session, "GET", "/users/alice"))["servers"].get("", {})
        if server.get("ready"):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(server)


async def run_in_kernel(session, token, code):
    """All that it prints; a traceback is an error."""
    headers = {"Authorization": f"token {token}"}
    server = f"{ADDRESS}/user/alice/api/kernels"
    async with session.post(server, headers=headers, json={"name": "python3"}) as answer:
        assert answer.status == 201, await answer.text()
        kernel = (await answer.json())["id"]
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": "s", "username": "", "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    request = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    said = ""
    async with session.ws_connect(f"{server}/{kernel}/channels", headers=headers, max_msg_size=0) as channels:
        await channels.send_json(request)
        async for message in channels:
            message = message.json()
            if message["parent_header"].get("msg_id") != header["msg_id"]:
                continue
            content = message["content"]
            if message["msg_type"] == "stream":
                said += content["text"]
            elif message["msg_type"] == "execute_reply":
                assert content["status"] == "ok", "\n".join(content.get("traceback", [])) + said
                return said
    raise AssertionError(said)


async def token(session, scopes):
    made = await hub(session, "POST", "/users/alice/tokens", json={"scopes": scopes, "note": "of the test"})
    return made["token"]


async def main():
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        await start_server(session)
        own = await token(session, ["self"])
        path = f"import sys; sys.path.insert(0, {str(HERE)!r})\nGATEWAY, RELAY = {GATEWAY!r}, {RELAY!r}\n"
        said = await run_in_kernel(session, own, path + (HERE / "hub_kernel.py").read_text())
        assert "computed for alice" in said, said

        scope = "access:services!service=dask-gateway"
        allowed = await token(session, [scope])
        status, limits, _, who = await gateway(session, allowed)
        assert status == 200 and "group:science" in limits["groups"], (status, limits)
        assert (who["sub"], who["groups"], who["role"]) == ("alice", ["science"], "user"), who
        status, _, _, who = await gateway(session, TOKEN)
        assert (status, who["sub"]) == (200, "service:driver"), (status, who)
        for bad in (own, await token(session, ["access:servers!user"]), "0" * 32, "x/../../users"):
            status, _, challenge, _ = await gateway(session, bad)
            assert (status, challenge) == (401, "jupyterhub"), (status, challenge)
        say("computed")
        wait_for_go()
        # the hub is gone
        status, answer, _, _ = await gateway(session, "1" * 32)
        assert status == 502 and "JupyterHub" in answer["error"], (status, answer)


asyncio.run(main())
done()
