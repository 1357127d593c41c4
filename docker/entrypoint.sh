#!/bin/sh
# Starts what is asked for; the server is given the address that the image exposes.
# Everything else comes from PPC_* variables, or from a config.ini in the volume.
set -eu

if [ "${1:-ppc-serve}" = ppc-serve ]; then
    [ $# -eq 0 ] || shift
    exec ppc-serve --host 0.0.0.0 --port 8080 "$@"
fi
exec "$@"
