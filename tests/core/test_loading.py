"""What a program of the product is like once it has loaded."""

import os
import subprocess
import sys

from evalapp.env import REPOSITORY

PROGRAM = "import django, gc; django.setup(); print(gc.isenabled(), gc.get_freeze_count() > 10_000)"


def test_garbage_is_collected_again_after_the_start_and_what_was_loaded_is_left_alone() -> None:
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "evalapp.settings"},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["True", "True"]
