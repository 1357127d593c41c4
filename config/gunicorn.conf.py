"""gunicorn's settings for ``gunicorn --paste config.ini -c config/gunicorn.conf.py``: those of ``ppc-serve``.

Add or override names below the import, say ``workers = 8``.
"""

from pypicloud_lite.cli.gunicorn_settings import *  # noqa: F403 - every name is a setting
