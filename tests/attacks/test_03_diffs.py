"""Two texts are compared word by word with bounded work, on the server and in the browser."""

import random
from pathlib import Path
from unittest.mock import patch

import pytest
from django.conf import settings
from playwright.sync_api import Page

from evalapp.accounts.models import Project, User
from evalapp.core import word_changes as comparing
from evalapp.core.word_changes import MOST_PAIRS, word_changes
from evalapp.metrics.automatic.translation import MOST_TER_WORDS, CorpusMetricDescription, edit_rate
from tests.cast import client_of
from tests.e2e.conftest import browser_type_launch_args  # noqa: F401 - the machine's own browser
from tests.factories import answers, corrected, make_campaign, review_all

TOO_LONG = "Too long to compare word by word"


def _looping(seed: int, words: int) -> str:
    """As a model that loops writes: few words, over and over."""
    return " ".join(random.Random(seed).choices(["to", "of", "the"], k=words))


def _sides(before: str, after: str) -> tuple[str, str]:
    changes = word_changes(before, after).changes
    return (
        " ".join(each.text for each in changes if each.kind != "added"),
        " ".join(each.text for each in changes if each.kind != "removed"),
    )


@pytest.mark.parametrize("words", [1, 50, 1_000, 20_000])
def test_repeated_words_are_compared_whole_or_not_at_all(words: int) -> None:
    before, after = _looping(1, words), _looping(2, words + words // 3)

    with patch.object(comparing.Indel, "opcodes", wraps=comparing.Indel.opcodes) as compared:
        found = word_changes(before, after)

    assert _sides(before, after) == (before, after)
    assert found.is_too_long == (words == 20_000)
    assert all(len(a) * len(b) <= MOST_PAIRS for (a, b), _ in compared.call_args_list)


def test_a_small_change_in_a_long_text_is_shown_as_one() -> None:
    text = _looping(1, 50_000).split()
    found = word_changes(" ".join([*text[:25_000], "old", *text[25_000:]]), " ".join(text))
    assert [each.kind for each in found.changes] == ["same", "removed", "same"]
    assert not found.is_too_long


def test_fewest_words_change() -> None:
    found = word_changes("The fund fell by 3 percent .", "The fund rose by 3 percent today .")
    assert [tuple(each) for each in found.changes] == [
        ("same", "The fund"),
        ("removed", "fell"),
        ("added", "rose"),
        ("same", "by 3 percent"),
        ("added", "today"),
        ("same", "."),
    ]


@pytest.mark.parametrize(("words", "is_told"), [(700, False), (20_000, True)])
def test_the_case_page_shows_every_correction(
    project: Project, manager: User, reviewer: User, words: int, is_told: bool
) -> None:
    campaign = make_campaign(project, [reviewer], rows=1)
    output = campaign.items.get().outputs.order_by("pk").first()
    assert output is not None
    output.output.text = _looping(1, words)
    output.output.save()
    said = corrected(answers(), _looping(2, words))
    review_all(campaign, reviewer, {(output.candidate.model_version.label, 1): said})

    page = client_of(manager).get(
        f"/projects/{project.slug}/results/{campaign.pk}/cases/{campaign.items.get().pk}/"
    )

    assert page.status_code == 200
    assert "<ins>" in page.content.decode()
    assert (TOO_LONG in page.content.decode()) == is_told


def test_no_page_compares_texts_by_other_means() -> None:
    """Python's own comparison is cubic on repeated words."""
    users = [
        str(path)
        for folder in ("evalapp", "training", "inference", "hub", "run_directory")
        for path in Path(settings.BASE_DIR, folder).rglob("*.py")
        if "difflib" in path.read_text()
    ]
    assert users == []


@pytest.mark.parametrize("words", [300, 30_000])
def test_the_browser_compares_bounded_parts(page: Page, words: int) -> None:
    source = Path(settings.BASE_DIR, "static/js/review-diff.js").read_text()
    before, after = _looping(1, words), _looping(2, words)
    found = page.evaluate(
        """async ([source, before, after]) => {
            const own = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
            const { diffWords, showDiff } = await import(own);
            const { parts, isTooLong } = diffWords(before, after);
            const without = (kind) => parts.filter((each) => each[0] !== kind).map((each) => each[1])
              .join("");
            const element = document.createElement("div");
            showDiff(element, before, after);
            return { sides: [without("new"), without("cut")], isTooLong, shown: element.textContent };
        }""",
        [source, before, after],
    )
    assert found["sides"] == [before, after]
    assert found["isTooLong"] == (words == 30_000)
    assert (TOO_LONG in found["shown"]) == (words == 30_000)


def test_the_edit_rate_is_not_counted_between_texts_beyond_its_limit() -> None:
    long = _looping(1, MOST_TER_WORDS + 1)
    for output, correction in ((long, "Short."), ("Short.", long)):
        measure = edit_rate(output, correction)
        assert measure.value is None
        assert "2,000 words" in measure.reason
        assert measure.signature == edit_rate("Short.", "Shorter.").signature


def test_ter_leaves_out_what_is_beyond_its_limit_and_scores_the_rest() -> None:
    metric, long = CorpusMetricDescription("ter"), _looping(1, MOST_TER_WORDS + 1)
    assert metric.score("Short.", ["Shorter."]).value == 100
    for output, references in ((long, ["Short."]), ("Short.", ["Short.", long])):
        measure = metric.score(output, references)
        assert measure.value is None
        assert "2,000 words" in measure.reason
    assert (metric.corpus().value, metric.corpus().n) == (100, 1)
