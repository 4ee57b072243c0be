"""What the stories about limits share: a refusal caught, warnings collected, sentences without what differs from run to run."""

import re
import warnings

from aiohttp import ClientResponseError
from story import eventually, say

shown = []


def show(message, category, *args, **kwargs):
    shown.append((category.__name__, plain(message)))


# from any thread: a client shows its scheduler's warnings from its own
warnings.simplefilter("always")
warnings.showwarning = show


def plain(text):
    """The sentence without names, moments and sums of this run."""
    text = re.sub(r"\b[0-9a-f]{32}\b", "NAME", str(text))
    text = re.sub(r"\d+\.\d+ USD used", "N USD used", text)
    text = re.sub(r"\d{4}-\d\d(-\d\d( \d\d:\d\d:\d\d)?)?", "DATE", text)
    text = re.sub(r"\d+ s from now", "N s from now", text)
    text = re.sub(r"(heartbeat|connected|answered|idle) for \d+ s\b", r"\1 for N s", text)
    return " ".join(text.split())


def caught(ask, *args, **kwargs):
    """Asks for what is refused: how the client puts it."""
    try:
        got = ask(*args, **kwargs)
    except Exception as error:
        assert not isinstance(error, ClientResponseError), f"no exception of the client's own: {error!r}"
        return f"{type(error).__name__}: {plain(error)}"
    raise AssertionError(f"not refused, but {got!r}")


def refused(what, ask, *args, **kwargs):
    """The same, said at once."""
    say(f"{what}:", caught(ask, *args, **kwargs))


def warned(what, ask=lambda: None, *args, of="GatewayWarning", about="", **kwargs):
    """Asks for what is granted with a warning of a kind, and says which."""
    ask(*args, **kwargs)
    say(f"{what}:", *eventually(what, lambda: [text for kind, text in shown if kind == of and about in text][-1:]))


def api(gateway, method, path, body=None):
    """The answer to a request that the client has no method for, refused as it refuses all."""

    async def ask():
        answer = await gateway._request(method, f"{gateway.address}/api/v1/{path}", json=body)
        return await answer.json()

    return gateway.sync(ask)


def reason(gateway, name):
    """Why a cluster ended, as its explanation says."""
    explained = api(gateway, "GET", f"clusters/{name}/explain")
    return f"{explained['status']}, {explained['reason']['code']}: {plain(explained['reason']['message'])}"
