"""A real Chromium, by its DevTools protocol."""

import asyncio
import ctypes
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from tornado.websocket import websocket_connect

PATIENCE = 100


def executable():
    names = [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]
    found = next((path for path in map(shutil.which, filter(None, names)) if path), None)
    assert found, "this test needs Chromium (Debian: apt-get install chromium), or its path in CHROMIUM"
    return found


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: whoever kills a test kills its browser


class Chrome:
    """The browser. `names` are hosts that it finds at 127.0.0.1."""

    def __init__(self, names=()):
        self.profile = tempfile.mkdtemp(prefix="faregate-chrome-")
        rules = ", ".join(f"MAP {name} 127.0.0.1" for name in names)
        self.log = open(os.path.join(self.profile, "log"), "w+")
        self.process = subprocess.Popen(
            [
                executable(),
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
                "--no-first-run",
                "--no-proxy-server",
                "--remote-debugging-port=0",
                f"--host-resolver-rules={rules}",
                f"--user-data-dir={self.profile}",
                "about:blank",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.log,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        self.ids = itertools.count(1)
        self.answers = {}
        self.tabs = {}

    async def connect(self):
        address = await eventually("Chromium listens", self.address)
        self.socket = await websocket_connect(address, max_message_size=1 << 28)
        self.reader = asyncio.ensure_future(self.read())

    def address(self):
        assert self.process.poll() is None, f"Chromium has ended:\n{open(self.log.name).read()}"
        found = re.search(r"DevTools listening on (ws://\S+)", open(self.log.name).read())
        return found and found.group(1)

    async def read(self):
        while (text := await self.socket.read_message()) is not None:
            message = json.loads(text)
            if "id" in message:
                answer = self.answers.pop(message["id"], None)
                if answer is not None and not answer.done():
                    answer.set_result(message)
            elif (tab := self.tabs.get(message.get("sessionId"))) is not None:
                tab.event(message["method"], message["params"])

    def send(self, method, session=None, **params):
        number = next(self.ids)
        answer = self.answers[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self.socket.write_message(json.dumps(message))
        return answer

    async def call(self, method, session=None, **params):
        answer = await asyncio.wait_for(self.send(method, session, **params), PATIENCE)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    async def visitor(self):
        """Somebody with cookies and passwords of their own."""
        return (await self.call("Target.createBrowserContext"))["browserContextId"]

    async def tab(self, visitor):
        target = await self.call("Target.createTarget", url="about:blank", browserContextId=visitor)
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        tab = self.tabs[attached["sessionId"]] = Tab(self, attached["sessionId"])
        for domain in ["Page", "Runtime", "Log", "Network"]:
            await tab.call(f"{domain}.enable")
        return tab

    def close(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()
        # those of its processes that are just dying may still write
        while os.path.exists(self.profile):
            shutil.rmtree(self.profile, ignore_errors=True)


class Tab:
    """One page at a time, and what it did."""

    def __init__(self, chrome, session):
        self.chrome, self.session = chrome, session
        self.forget()

    def forget(self):
        self.errors, self.responses, self.sockets, self.frames = [], {}, [], 0

    def event(self, method, params):
        if method == "Network.responseReceived":
            self.responses[params["response"]["url"]] = params["response"]["status"]
        elif method == "Network.webSocketHandshakeResponseReceived":
            self.sockets.append(params["response"]["status"])
        elif method == "Network.webSocketFrameReceived":
            self.frames += 1
        elif method == "Runtime.exceptionThrown":
            self.errors.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] == "error":
            self.errors.append(" ".join(str(a.get("value", a.get("description"))) for a in params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    async def call(self, method, **params):
        return await self.chrome.call(method, self.session, **params)

    async def go(self, url):
        """Types an address, and waits until something is there."""
        self.forget()
        arrived = await self.call("Page.navigate", url=url)
        assert "errorText" not in arrived, (url, arrived)
        await eventually(f"{url} is loaded", lambda: self.run("document.readyState === 'complete'"))

    async def sign_in(self, user, password, **more):
        """Fills the gateway's form in and sends it; the next page is there then."""
        assert await self.run(f"document.title === 'Faregate' && !!document.forms[0]"), await self.run("document.body.innerText")
        self.forget()
        for name, value in {"user": user, "password": password, **more}.items():
            await self.run(f"document.forms[0].elements[{json.dumps(name)}].value = {json.dumps(value)}")
        await self.run("window.old = true; document.querySelector('button').click()")
        await eventually("the next page is there", lambda: self.run("!window.old && document.readyState === 'complete'"))

    async def run(self, expression):
        """The value of an expression in the page; of a promise, once it is kept."""
        answer = await self.chrome.send(
            "Runtime.evaluate", self.session, expression=expression, awaitPromise=True, returnByValue=True
        )
        if "error" in answer:  # the page has gone in the meantime
            return None
        answer = answer["result"]
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")


async def eventually(what, condition):
    deadline = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE} s"
        await asyncio.sleep(0.05)
