"""Python runs it at the start of the official server's tasks, as `sitecustomize`.

With OpenSSL 3.4 and later their connections would break whenever a peer is gone (https://github.com/python/cpython/issues/148594), and no
session would come to its end: Python leaves that peer's error to the next call for another one. What ends a connection empties the queue of
errors here, as the preloads of our tasks do.
"""

from tornado.iostream import SSLIOStream, ssl

end = SSLIOStream.close


def close(self, exc_info=False):
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_ciphers("-")
    except ssl.SSLError:
        pass
    end(self, exc_info)


SSLIOStream.close = close
