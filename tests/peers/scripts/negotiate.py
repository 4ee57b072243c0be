"""Prints what the official client would send to a service: `Negotiate <token>`."""

import sys

import kerberos

flags = kerberos.GSS_C_MUTUAL_FLAG | kerberos.GSS_C_SEQUENCE_FLAG
_, context = kerberos.authGSSClientInit(sys.argv[1], gssflags=flags)
kerberos.authGSSClientStep(context, "")
print("Negotiate", kerberos.authGSSClientResponse(context))
