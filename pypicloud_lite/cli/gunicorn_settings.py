"""How gunicorn runs this server: the one place, whichever command starts it.

``ppc-serve`` reads it by itself; ``gunicorn --paste config.ini -c config/gunicorn.conf.py`` and the
``[server:main]`` section of an INI file (``config = python:pypicloud_lite.cli.gunicorn_settings``) name it.
Every lower-case name below is a setting of gunicorn's; options after ``ppc-serve … --`` override them.
"""

from __future__ import annotations

import os
import signal
import warnings
from typing import Any

bind = ["127.0.0.1:8080"]
proc_name = "pypicloud_lite"

# Threads share one page cache and one credential cache, processes share the cores. Most of them only ever wait: for a
# slow reader, or (at most half of them) for an index upstream.
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY") or min(max(2, os.cpu_count() or 2), 4))
threads = 24
# The heartbeat file must not wait for a slow disk.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - memory, and gunicorn makes a private file in it

# A request in flight may finish its upload before a stopping worker is ended, in seconds.
graceful_timeout = 60
# Longer than the 60 s for which nginx keeps its own side open, so that it is never this side that hangs up first.
keepalive = 75

# Tokens and Basic credentials can be long; a search's query string too.
limit_request_field_size = 32768
limit_request_line = 8190

# gunicorn itself believes no forwarded header, from nobody, on no kind of socket: the application does, where
# pypi.trusted_proxies says so.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""

# One way in, the network: nobody on this machine steers the server over a socket in a home folder.
control_socket_disable = True

# Requests on stdout, events on stderr. Neither credentials, queries nor the referring page are in a line; of what
# pip tells about itself and its machine, the beginning is enough. The number at the end is that of the events' lines.
logger_class = "pypicloud_lite.cli.request_log.RequestLogger"
accesslog = "-"
errorlog = "-"
access_log_format = '%(t)s %(h)s "%(r)s" %(s)s %(B)s %(M)sms "%(a).80s" %({x-request-id}o)s'


def pre_request(worker: Any, req: Any) -> None:
    """Close the connection after a request whose framing is doubtful; the application refuses it with 400.

    An application cannot ask gunicorn for that: a ``Connection`` header of its own is dropped.
    """
    del worker
    headers = {name.upper(): value.strip().lower() for name, value in req.headers}
    if headers.get("TRANSFER-ENCODING", "chunked") != "chunked" or ("HOST" not in headers and req.version >= (1, 1)):
        req.force_close()


def post_fork(server: Any, worker: Any) -> None:
    """Keep a library's notice to its developers out of every worker's log: Pyramid 2.1 imports pkg_resources."""
    del server, worker
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)


def worker_exit(server: Any, worker: Any) -> None:
    """Write down what the worker has kept for later.

    Told to end once more by then, as after a reload, it goes on ending: a signal in the middle of the interpreter's own
    clearing up would be a traceback in the log.
    """
    del server
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    housekeeping = getattr(worker.wsgi, "housekeeping", None)
    if housekeeping is not None:
        housekeeping.stop()
        housekeeping.do_chores()


def post_worker_init(worker: Any) -> None:
    """Begin the housekeeping, and leave Ctrl-C to the master.

    A terminal sends that to every process, and a worker would drop its requests.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    housekeeping = getattr(worker.wsgi, "housekeeping", None)
    if housekeeping is not None:
        housekeeping.ensure()
