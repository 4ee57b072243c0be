"""A cluster of an image that nobody can pull: FAILED. Argument after the address: the image."""

import sys

from story import done, eventually, gateway, say, status

g = gateway()
name = g.submit(image=sys.argv[2])
eventually("failed", lambda: status(g, name) == "FAILED")
say("cluster", name)
done()
