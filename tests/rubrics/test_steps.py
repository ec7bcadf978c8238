"""A scale with steps per point: half points, and averages of several people's ratings."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.core.errors import InvalidError
from evalapp.ratings.values import Census, reader_of, suggest_criterion
from evalapp.reviews.answers import ReviewAnswers
from evalapp.reviews.models import Score
from evalapp.rubrics.drafts import CriterionDraft
from evalapp.rubrics.interchange import read_yaml
from evalapp.rubrics.kinds.scale import in_levels
from evalapp.rubrics.kinds.values import Level, RawValue, ValueProblemError
from evalapp.rubrics.models import Criterion
from evalapp.rubrics.queries import yaml_of
from evalapp.rubrics.services import create_rubric, save_version
from tests.api.conftest import Program, program_for
from tests.factories import make_campaign, review_all
from tests.reviews.conftest import body, claim, post, url_of

__all__ = ["program_for"]
ClientFor = Callable[[User | None], Client]
ProgramFor = Callable[[User | None], Program]
HALVES = CriterionDraft(
    name="Tone",
    level_descriptions={"1.5": "Stiff.", "5": "As a good colleague writes."},
    **in_levels({"minimum": 1, "maximum": 5, "low_threshold": 2, "steps_per_point": 2}),
)
BY_API = {"name": "Tone", "minimum": 1, "maximum": 5, "low_threshold": 2, "steps_per_point": 2}


def _census(*given: RawValue) -> Census:
    census = Census()
    for raw in given:
        census.add(raw)
    return census


@pytest.mark.parametrize(
    ("given", "steps"),
    [
        ((1, 2.5, 4, 4.5), 2),
        ((3.67, 4.33, 5, 2.67), 3),
        ((3.6666667, 4.3333333, 1), 3),
        (("3,25", "4,5", "2"), 4),
        ((3.3, 3.7, 2.5), 10),
        ((3.67, 4.25, 2), 12),
        ((1, 2, 5), 1),
    ],
)
def test_values_tell_how_many_steps_a_point_has(given: tuple[RawValue, ...], steps: int) -> None:
    draft = suggest_criterion("Tone", _census(*given * 3), records=len(given) * 3)
    assert (draft.rules.range, draft.steps_per_point) == ((1, 5), steps)
    read = reader_of(draft)
    for raw in given:
        level = read(raw).value
        assert level is not None
        assert draft.rules.number(level) == pytest.approx(float(str(raw).replace(",", ".")), abs=0.0051)


def test_a_value_between_two_steps_is_refused_with_what_to_do() -> None:
    read = reader_of(HALVES)
    assert read("3.5") == Level(7) and read(4) == Level(8)
    with pytest.raises(ValueProblemError, match=r"3\.3 is between two steps of 0\.5 of Tone") as refused:
        read("3.3")
    assert refused.value.fix == "Round it, or give the scale other steps per point (up to 20)."
    with pytest.raises(ValueProblemError, match=r"5\.5 is outside the scale of Tone, 1 to 5"):
        read(5.5)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("steps_per_point: 21", "A point has 1 to 20 steps; 2 allows half points"),
        ("steps_per_point: 0", "A point has 1 to 20 steps"),
        ("steps_per_point: 999999", "A point has 1 to 20 steps"),
        ("maximum: 100\n  steps_per_point: 2", "at most 101 levels"),
        ("low_threshold: 5\n  steps_per_point: 2", "Reasons can be asked at 1 to 4 and under"),
        ("kind: yes_no\n  steps_per_point: 2", "Steps per point are for scales only"),
        ("steps_per_point: 2\n  level_descriptions: {3.3: Neither}", "There is no level 3.3 here"),
    ],
)
def test_steps_that_cannot_be_are_refused(entry: str, problem: str) -> None:
    with pytest.raises(InvalidError) as refused:
        read_yaml(f"evalapp_rubric: 1\nname: Halves\ncriteria:\n- name: Tone\n  {entry}\n".encode())
    assert problem in " ".join(text for texts in refused.value.fields.values() for text in texts)


@pytest.mark.django_db
class TestEverywhere:
    def test_the_editor_and_a_file_speak_of_points(
        self, project: Project, manager: User, client_for: ClientFor
    ) -> None:
        rubric = create_rubric(project=project, name="Halves", by=manager)
        version = save_version(rubric=rubric, criteria=[HALVES], by=manager)
        page = client_for(manager).get(reverse("rubric_edit", args=[project.slug, rubric.pk]))
        inputs = re.findall(
            r'<input[^>]*name="criteria-0-([\w.-]+)" value="([^"]*)"[^>]*>', page.content.decode()
        )
        fields = {name: value for name, value in inputs if not name.startswith(("is_", "lower_", "allows_"))}
        assert (fields["minimum"], fields["maximum"], fields["low_threshold"]) == ("1", "5", "2")
        assert fields["steps_per_point"] == "2"
        again = client_for(manager).post(
            reverse("rubric_edit", args=[project.slug, rubric.pk]),
            {
                "based_on": page.context["form"].based_on,
                "criteria-count": "1",
                **{f"criteria-0-{name}": value for name, value in fields.items()},
                "criteria-0-name": "Tone of voice",
                "action": "save",
            },
        )
        assert again.status_code == 302, again.context["form"].problems
        saved = Criterion.objects.get(name="Tone of voice")
        assert (saved.minimum, saved.maximum, saved.low_threshold, saved.steps_per_point) == (2, 10, 4, 2)
        written = yaml_of(rubric, version)
        assert "steps_per_point: 2" in written and "1.5: Stiff." in written
        (draft,) = read_yaml(written.encode()).criteria
        assert (draft.minimum, draft.maximum, draft.level_descriptions) == (
            2,
            10,
            dict(HALVES.level_descriptions),
        )

    def test_the_api_gives_what_it_was_given(
        self, project: Project, manager: User, program_for: ProgramFor
    ) -> None:
        rubric = create_rubric(project=project, name="By API", by=manager)
        address = f"projects/{project.slug}/rubrics/{rubric.pk}/versions/"
        made = program_for(manager).post(address, {"criteria": [BY_API]})
        assert made.status_code == 201, made.content
        (told,) = made.json()["criteria"]
        assert {name: told[name] for name in BY_API} == BY_API

    def test_a_reviewer_types_half_a_point_and_all_results_are_in_points(
        self,
        project: Project,
        manager: User,
        reviewer: User,
        other_reviewer: User,
        client_for: ClientFor,
        program_for: ProgramFor,
    ) -> None:
        rubric = create_rubric(project=project, name="Halves", by=manager)
        version = save_version(rubric=rubric, criteria=[HALVES], by=manager)
        campaign = make_campaign(project, [reviewer, other_reviewer], rows=6, rubric_version=version)
        upcoming, client = claim(campaign, reviewer), client_for(reviewer)
        assert 'min="1" max="5" step="0.5"' in client.get(url_of(upcoming)).content.decode()
        refused = post(client, url_of(upcoming), body({"scores": {"tone": 3.3}})).content.decode()
        assert "Tone needs a number in steps of 0.5" in refused
        for garbage in (10**400, -(10**400), 1e300, "4.5", True, [4], {"level": 4}):
            assert post(client, url_of(upcoming), body({"scores": {"tone": garbage}})).status_code == 400
        for person, more in ((reviewer, 0), (other_reviewer, 0.5)):
            said = {"formal": ReviewAnswers({"tone": 1.5 + more}), "plain": ReviewAnswers({"tone": 4.5})}
            review_all(campaign, person, said)
        assert set(Score.objects.values_list("value", flat=True)) == {3, 4, 9}
        place = f"projects/{project.slug}/campaigns/{campaign.pk}"
        found = program_for(manager).get(f"{place}/comparison/").json()
        cells = {row["label"]: row["human"][0] for row in found["candidates"]}
        assert cells["formal"]["mean"]["value"] == pytest.approx(1.75)
        assert cells["formal"]["low_share"]["value"] == 1.0
        assert cells["plain"]["low_share"]["value"] == 0.0
        assert {level: n for level, n in cells["plain"]["counts"].items() if n} == {"4.5": 12}
        table = program_for(manager).get(f"{place}/analysis/agreement/confusion/?criterion=tone").json()
        assert table["levels"] == [1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]
        pages = [
            reverse(name, args=[project.slug, campaign.pk]) for name in ("who_is_better", "campaign_severity")
        ]
        who, severity = (client_for(manager).get(page).content.decode() for page in pages)
        assert "1–5" in who
        table = reverse("analysis_table_csv", args=[project.slug, campaign.pk, "people"])
        assert "Tone: scores of 2 or less" in client_for(manager).get(table).content.decode()
        adjusted = [float(value) for value in re.findall(r'class="figure">([\d.]+)<', severity)]
        assert all(value <= 5 for value in adjusted), adjusted
