"""Decisions are made one at a time, with or without a gate; Markdown is read with bounded work."""

from html import unescape
from typing import Any
from unittest.mock import patch

import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ConflictError
from evalapp.decisions.models import Decision
from evalapp.decisions.services import decide
from evalapp.templatetags import text as rendering
from evalapp.templatetags.text import render_markdown
from tests.api.conftest import problem_in, program_of
from tests.at_once import at_once
from tests.cast import client_of, make_project, make_user
from tests.factories import make_campaign, review_all


def _reviewed(project: Project, reviewer: User) -> Campaign:
    campaign = make_campaign(project, [reviewer], rows=2)
    review_all(campaign, reviewer, {})
    return campaign


def _candidate(campaign: Campaign, label: str) -> Any:
    return campaign.candidates.get(model_version__label=label).model_version


@pytest.mark.django_db(transaction=True)
def test_of_many_decisions_without_a_gate_at_once_one_is_made() -> None:
    people = [make_user(f"person{number}") for number in range(4)]
    project = make_project("Summaries", owner=people[0], manager=people[1])
    campaign = _reviewed(project, people[0])
    labels = ("formal", "plain")

    def work(number: int) -> Decision:
        return decide(
            campaign=Campaign.objects.get(pk=campaign.pk),
            candidate=_candidate(campaign, labels[number % 2]),
            verdict=("release", "do_not_release")[number // 2],
            note=f"Person {number}.",
            by=people[number],
        )

    found = at_once(4, work)

    (made,) = [each for each in found if isinstance(each, Decision)]
    refused = [each for each in found if isinstance(each, ConflictError)]
    assert len(refused) == 3
    assert all("was not recorded" in str(each) for each in refused)
    assert Decision.objects.get() == made


def test_who_has_seen_a_decision_may_replace_it(
    project: Project, reviewer: User, manager: User, owner: User
) -> None:
    campaign = _reviewed(project, reviewer)
    plain = _candidate(campaign, "plain")
    address = f"/projects/{project.slug}/results/{campaign.pk}/decide/"
    late = client_of(owner)
    assert late.get(address).status_code == 200
    first = decide(campaign=campaign, candidate=plain, verdict="release", note="", by=manager)

    said = {"candidate": plain.pk, "verdict": "not_yet", "note": "Wait."}
    page = late.post(address, said)
    assert page.status_code == 409
    assert "Manager has decided “release”" in unescape(page.text)
    assert Decision.objects.get() == first
    assert f'name="replaces" value="{first.pk}"' in page.text

    body = {"campaign": campaign.pk, **said}
    program = program_of(owner)
    problem_in(program.post(f"projects/{project.slug}/decisions/", body), 409)
    assert late.post(address, {**said, "replaces": first.pk}).status_code == 302
    second = Decision.objects.latest("pk")
    assert (second.verdict, Decision.objects.count()) == ("not_yet", 2)
    again = {**body, "verdict": "do_not_release", "replaces": second.pk}
    assert program.post(f"projects/{project.slug}/decisions/", again).status_code == 201


SIZE = 40_000
MOST_TOKENS = 30_000
HOSTILE = {
    "a wide table": "|a" * 5_000 + "|\n" + "|-" * 5_000 + "|\n" + "|a|\n" * 2_000,
    "cells that are not there": "|a" * 500 + "|\n" + "|-" * 500 + "|\n" + "|\n" * 15_000,
    "many rows": "|a|b|\n|-|-|\n" + "|x|y|\n" * 6_000,
    "a table without outer bars": "a|b\n-|-\n" + "x|y\n" * 8_000,
    "a table in a quote": "> |a|b|\n> |-|-|\n" + "> |x|y|\n" * 4_000,
    "aligned": "|a" * 900 + "|\n" + "|:-:" * 900 + "|\n" + "b\n" * 9_000,
    "quotes": "> " * 20_000,
    "lists": "- " * 20_000,
    "indented lists": "".join("  " * depth + "- a\n" for depth in range(190)),
    "numbered": "".join(f"{number}. a\n" for number in range(1, 5_000)),
    "links": "[a](b) " * 5_700,
    "open brackets": "[" * SIZE,
    "half links": "[a](" * 10_000,
    "images": "![" * 20_000,
    "references": "[a]: b\n\n" + "[a] " * 9_900,
    "emphasis": "*a_ " * 10_000,
    "bold inside words": "a**b" * 10_000,
    "stars": "*" * SIZE,
    "ticks": "".join("`" * count + " " for count in range(280)),
    "escapes": "\\*" * 20_000,
    "entities": "&a;" * 13_000,
    "addresses": "<http:" * 6_000,
    "headings": "# a\n" * 10_000,
    "line ends": "a\n" * 20_000,
    "paragraphs": "a\n\n" * 13_000,
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_hostile_markdown_is_bounded_and_shown_whole(source: str) -> None:
    source = source[:SIZE]
    made: list[int] = []
    parse = rendering._MARKDOWN.parse

    def counted(text: str) -> Any:
        tokens = parse(text)
        made.append(sum(1 + len(token.children or ()) for token in tokens))
        return tokens

    with patch.object(rendering._MARKDOWN, "parse", counted):
        html = render_markdown(source)

    assert sum(made) <= MOST_TOKENS
    if 'class="plain"' in html:
        assert unescape(html).removeprefix('<pre class="plain">').removesuffix("</pre>") == source


@pytest.mark.parametrize("source", ["> " * 30 + "the end", "- " * 30 + "the end"], ids=["quotes", "lists"])
def test_nothing_is_left_out_of_deep_markdown(source: str) -> None:
    assert "the end" in render_markdown(source)


def test_usual_markdown_is_still_read() -> None:
    rows = "".join(f"| Fund {number} | **{number}%** | {number} |\n" for number in range(200))
    answer = (
        f"# Results\n\n| Fund | Share | Years |\n|------|:----:|---|\n{rows}\n- one\n  - two\n\n> *said*\n"
    )
    html = render_markdown(answer * 2)
    assert html.count("<table>") == 2
    assert "<strong>199%</strong>" in html
    assert "<blockquote>" in html
