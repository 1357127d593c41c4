"""T15 to T19 and checklist 75 to 77: every bad shape is refused, each with its own reason."""

from __future__ import annotations

import io

from pypicloud_lite.artifacts.reading import read_artifact
from pypicloud_lite.kernel.errors import InvalidArtifact
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.testing.bad_archives import bad_archives


def test_t15_t16_t17_t18_75_76_77_bad_shapes_are_refused_with_their_reason():
    wrong, ids = {}, []
    for bad in bad_archives():
        ids.append(bad.id)
        try:
            read_artifact(io.BytesIO(bad.data), Filename.parse(bad.filename))
            message = "it was accepted"
        except InvalidArtifact as refusal:
            message = refusal.message
        # The file (and its member), the rule, the next step.
        if not (
            message.startswith(bad.filename) and bad.words in message and "; " in message and message.isprintable()
        ):
            wrong[bad.id] = message
    assert wrong == {}
    assert len(ids) == len(set(ids)) > 250
