"""Remembers how every HTTP request of the official client was answered; imported before the client."""

import aiohttp

answers = []
request = aiohttp.ClientSession._request


async def recorded(self, method, url, **kwargs):
    response = await request(self, method, url, **kwargs)
    # the session itself is kept, so that no later one has its id
    answers.append((self, response.status))
    return response


aiohttp.ClientSession._request = recorded


def assert_one_401_a_session():
    sessions = {id(session) for session, _ in answers}
    refused = sum(code == 401 for _, code in answers)
    assert sessions and refused <= len(sessions), f"{refused} times 401 in {len(sessions)} sessions"
    assert all(code < 400 or code in (401, 404) for _, code in answers), [code for _, code in answers]
