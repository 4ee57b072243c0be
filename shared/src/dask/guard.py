# Of schedulers and workers: their HTTP servers answer nobody without the key that the gateway's proxy adds to requests. Routes that are added later,
# WebSockets and what is not found go the same way.
import hmac, os

from distributed.http.routing import RoutingApplication
from tornado.web import ErrorHandler

token = os.environ["DASK_GATEWAY_API_TOKEN"]
if "/" in token:
    token = open(token).read()
key = hmac.new(token.encode(), b"dashboard", "sha256").hexdigest().encode()

def guarded(self, request, find_handler=RoutingApplication.find_handler, **kwargs):
    # a key for each that is in the gateway's key ring
    keys = request.headers.get("X-Faregate-Dashboard", "").encode().split(b",")
    if any([hmac.compare_digest(shown, key) for shown in keys]):
        return find_handler(self, request, **kwargs)
    return self.get_handler_delegate(request, ErrorHandler, {"status_code": 403})

RoutingApplication.find_handler = guarded
