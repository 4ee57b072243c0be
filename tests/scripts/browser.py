"""Dashboards in a real browser: they work, and a hostile one gets nothing of whoever looks at it.

Arguments after the address: `key` or `sign-in`. FAREGATE_PASSWORD is everybody's; `root` is an admin.
"""

import asyncio
import json
import os
import sys
import urllib.request
from base64 import b64encode
from urllib.parse import urlsplit

import cloudpickle
import hostile
from chrome import Chrome, eventually
from story import ADDRESS, done, gateway, say

cloudpickle.register_pickle_by_value(hostile)
SIGN_IN = sys.argv[2] == "sign-in"
PASSWORD = os.environ["FAREGATE_PASSWORD"]
PORT = urlsplit(ADDRESS).port
# A loopback address is as good as https to a browser; a plain name is not, and much of what protects pages is off there.
HOSTS = [f"127.0.0.1:{PORT}", f"gateway.test:{PORT}"]


def post(path, body):
    request = urllib.request.Request(ADDRESS + path, data=json.dumps(body).encode(), method="POST")
    request.add_header("Authorization", "Basic " + b64encode(f"root:{PASSWORD}".encode()).decode())
    return json.load(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request))


# the visitor is an admin: nobody else is ever shown a dashboard that is not their own, where people sign in
mine, theirs = gateway("root", PASSWORD), gateway("mallory", PASSWORD)
own, bad = mine.new_cluster(), theirs.new_cluster()
with bad.get_client() as client:
    client.run_on_scheduler(hostile.poison, hostile.PAGE)


def snapshot():
    return [(c.name, c.status.name, c.options) for g in (mine, theirs) for c in g.list_clusters()]


def link_of(cluster):
    """The path of a dashboard's status page, with what opens it."""
    return urlsplit(cluster.dashboard_link).path


def hostile_page(host):
    """Where the visitor is led to mallory's page, and how."""
    if SIGN_IN:
        answer = post(f"/api/v1/admin/clusters/{bad.name}/dashboard", {"why": "it looks odd"})
        path = urlsplit(answer["url"]).path
    else:
        path = link_of(bad)
    return f"http://{host}{path.removesuffix('status')}hostile/page"


async def works(chrome, visitor, host, more=()):
    """The dashboard as distributed makes it, on its status page and more."""
    tab = await chrome.tab(visitor)
    await tab.go(f"http://{host}{link_of(own)}")
    if await tab.run("document.title === 'Faregate'"):
        await tab.sign_in("root", PASSWORD)
    await eventually("Bokeh has its document", lambda: tab.run("!!window.Bokeh && Bokeh.documents.length > 0"))
    await eventually("its WebSocket is connected", lambda: 101 in tab.sockets and tab.frames > 2)
    await eventually("it draws", lambda: tab.run("!!Bokeh.documents[0].roots().length && Bokeh.documents[0].is_idle"))
    clean = urlsplit(await tab.run("location.href")).path
    assert ("-" in clean) != SIGN_IN, f"the key is in the path exactly where nobody signs in: {clean}"
    # a browser says so of a header that it heeds only where it trusts the connection
    errors = [e for e in tab.errors if "Cross-Origin-Opener-Policy" not in e and "favicon" not in e]
    assert not errors, errors
    for page in more:
        await tab.go(f"http://{host}{clean.removesuffix('status')}{page}")
        if not page.startswith("info"):
            await eventually(f"{page} is connected", lambda: 101 in tab.sockets and tab.frames > 1)
        errors = [e for e in tab.errors if "Cross-Origin-Opener-Policy" not in e and "favicon" not in e and "cdnjs" not in e]
        assert not errors, (page, errors)
    return clean


async def is_robbed(chrome, visitor, host, other, unprotected=False):
    """What mallory's page gets hold of."""
    tab = await chrome.tab(visitor)
    # the visitor has a session
    await tab.go(f"http://{host}/api/v1/clusters/")
    if await tab.run("document.title === 'Faregate'"):
        await tab.sign_in("root", PASSWORD)
        await tab.go(f"http://{host}/api/v1/clusters/")
    assert own.name in await tab.run("document.body.innerText")
    if unprotected:
        await tab.call("Page.setBypassCSP", enabled=True)
    await tab.go(hostile_page(host))
    assert await tab.run("typeof attack === 'function'"), "its script runs"
    arguments = ", ".join(json.dumps(a) for a in ["/api/v1/clusters/", other, own.name])
    got = await tab.run(f"attack({arguments})")
    assert len(got) > 30, got
    return {name: loot for name, loot in got.items() if loot}


async def signs_in(chrome, host):
    """The form in place of a prompt: for its own page alone, and it leads nowhere else."""
    tab = await chrome.tab(await chrome.visitor())
    address = f"http://{host}/api/v1/clusters/"
    await tab.go(address)
    await tab.sign_in("root", "wrong")
    assert "sign in: " in await tab.run("document.querySelector('[role=alert]').innerText")
    # a page of another origin sends the same
    await tab.go("about:blank")
    await tab.run(
        f"document.body.innerHTML = '<form method=post action=http://{host}/sign-in><input name=user value=root>"
        f"<input name=password value=\"{PASSWORD}\"></form>'; document.forms[0].submit()"
    )
    await eventually("it is refused", lambda: tab.run("document.body.innerText.includes('own page')"))
    await tab.go(address)
    await tab.sign_in("root", PASSWORD, next="//other.test/api/")
    shown = await tab.run("document.body.innerText")
    assert "You are signed in" in shown and "other.test" not in shown, shown
    await tab.go(address)
    assert own.name in await tab.run("document.body.innerText")


async def main():
    chrome = Chrome(["gateway.test"])
    try:
        await chrome.connect()
        for host in HOSTS:
            await signs_in(chrome, host)
            visitor = await chrome.visitor()
            more = ["workers", "tasks", "graph", "profile", "info/main/workers.html"]
            other = await works(chrome, visitor, host, more)
            say("works", host)
            before = snapshot()
            # nobody knows a key that was not given to them
            other = other if SIGN_IN else f"/clusters/{own.name}/status"
            loot = await is_robbed(chrome, visitor, host, other)
            assert not loot, (host, loot)
            assert snapshot() == before and len(before) == 2, (before, snapshot())
            # nothing was forgotten, and the next page is as before
            await works(chrome, visitor, host)
            say("safe", host)
        if SIGN_IN:
            visitor = await chrome.visitor()
            other = await works(chrome, visitor, HOSTS[1])
            loot = await is_robbed(chrome, visitor, HOSTS[1], other, unprotected=True)
            # (what frames the API's answers, or runs them as a script, those answers bar by themselves)
            for attack in ["fetch the API", "XHR", "frame with code", "worker of a blob"]:
                assert attack in loot, f"{attack} is not an attack, it seems: {list(loot)}"
            for attack in ["fetch another dashboard", "connect to another dashboard"]:
                assert attack in loot, f"{attack} is not an attack, it seems: {list(loot)}"
            say("real", "attacks")
            # where browsers say that a page has sent a request, the API is closed to pages by that alone
            visitor = await chrome.visitor()
            other = await works(chrome, visitor, HOSTS[0])
            loot = await is_robbed(chrome, visitor, HOSTS[0], other, unprotected=True)
            assert "fetch another dashboard" in loot, list(loot)
            assert not [name for name in loot if "dashboard" not in name], list(loot)
    finally:
        chrome.close()


asyncio.run(main())
own.shutdown()
bad.shutdown()
done()
