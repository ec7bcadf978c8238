"""What a reviewer's browser loads of scripts and styles, gzipped: at most 150 kB, with all that modules
import.
"""

import gzip
import re
from pathlib import Path, PurePosixPath

import pytest
from django.contrib.staticfiles import finders
from django.urls import reverse

from evalapp.accounts.models import Project, User
from tests.cast import client_of
from tests.factories import make_campaign

MOST_BYTES = 150_000
_LOADED = re.compile(r'<(?:script|link)\b[^>]*?\b(?:src|href)="/?static/([^"]+\.(?:js|css))"')
_IMPORTED = re.compile(r'(?:\bfrom|\bimport)\s*\(?\s*"(\.{1,2}/[^"]+)"|@import\s+(?:url\()?"([^"]+)"')


def _with_imports(names: list[str]) -> dict[str, int]:
    """Gzipped bytes by name, of these files and of all that they import."""
    sizes: dict[str, int] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in sizes:
            continue
        found = finders.find(name)
        assert found, f"{name} is loaded and is not there"
        content = Path(found).read_bytes()
        sizes[name] = len(gzip.compress(content, 6))
        folder = PurePosixPath(name).parent
        for own, other in _IMPORTED.findall(content.decode()):
            waiting.append(_joined(folder, own or other))
    return sizes


def _joined(folder: PurePosixPath, name: str) -> str:
    parts = list(folder.parts)
    for part in PurePosixPath(name).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


@pytest.mark.django_db
def test_the_review_page_is_light(project: Project, reviewer: User) -> None:
    campaign = make_campaign(project, [reviewer], rows=1)
    page = client_of(reviewer).get(reverse("review_next", args=[campaign.key]), follow=True).text
    loaded = _LOADED.findall(page)
    assert "js/review-page.js" in loaded and "css/review.css" in loaded

    sizes = _with_imports(loaded)

    assert "js/review-outbox.js" in sizes, "what a module imports is counted"
    assert sum(sizes.values()) <= MOST_BYTES, sorted(sizes.items(), key=lambda each: -each[1])
