"""Signs in at the provider as a person does in a browser, and prints the ID token. Argument: the provider's address."""

import re
import secrets
import sys

import httpx

provider = sys.argv[1]
CLIENT = ("dask", "between the two")
BACK = "http://127.0.0.1/signed-in"
ANSWERS = {"login": "alice", "password": "in wonderland"}

with httpx.Client(timeout=60, trust_env=False) as browser:

    def follow(response):
        """Whatever leads on is followed, until there is a form or the way back."""
        while response.is_redirect:
            to = response.request.url.join(response.headers["location"])
            if str(to).startswith(BACK):
                return to
            response = browser.get(to)
        return response

    about = browser.get(f"{provider}/.well-known/openid-configuration").json()
    asked = {
        "response_type": "code",
        "client_id": CLIENT[0],
        "redirect_uri": BACK,
        "scope": "openid profile groups",
        "state": secrets.token_hex(8),
        "nonce": secrets.token_hex(8),
    }
    page = follow(browser.get(about["authorization_endpoint"], params=asked))
    while isinstance(page, httpx.Response):
        assert page.status_code == 200, page.text
        form = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
        page = follow(browser.post(page.request.url, data={"csrf_token": form.group(1), **ANSWERS}))
    assert page.params["state"] == asked["state"]
    grant = {"grant_type": "authorization_code", "code": page.params["code"], "redirect_uri": BACK}
    answer = browser.post(about["token_endpoint"], auth=CLIENT, data=grant)
    assert answer.status_code == 200, answer.text
    print(answer.json()["id_token"])
