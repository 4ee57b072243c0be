# Of schedulers and workers: their HTTP servers answer nobody without the key that the gateway's proxy adds to requests. Routes that are added later,
# WebSockets and what is not found go the same way. And one peer's end breaks no other peer's connection.
import hmac, os

from distributed.http.routing import RoutingApplication as Routes
from tornado.iostream import SSLIOStream, ssl
from tornado.web import ErrorHandler

token = os.environ["DASK_GATEWAY_API_TOKEN"]
if "/" in token:
    token = open(token).read()
key = hmac.new(token.encode(), b"dashboard", "sha256").hexdigest().encode()

def guarded(self, request, find=Routes.find_handler, **kwargs):
    # a key for each that is in the gateway's key ring
    keys = request.headers.get("X-Faregate-Dashboard", "").encode().split(b",")
    if any([hmac.compare_digest(each, key) for each in keys]):
        return find(self, request, **kwargs)
    return self.get_handler_delegate(request, ErrorHandler, {"status_code": 403})

Routes.find_handler = guarded

def close(self, exc_info=False, close=SSLIOStream.close):
    # With OpenSSL 3.4 and later Python leaves a system's error (a peer is gone) in the thread's queue of errors, and the next call for any
    # other connection takes it for its own (python/cpython#148594). What fails, of Python's ssl, empties the queue; this always does.
    try:
        ssl.SSLContext(16).set_ciphers("-")
    except OSError:
        pass
    close(self, exc_info)

SSLIOStream.close = close
