"""What the stream's page says first."""

import datetime as dt

import pytest
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.monitoring.daily.models import DailyMetric
from evalapp.monitoring.models import Stream
from tests.api.conftest import problem_in, program_of
from tests.cast import client_of
from tests.monitoring.making import evaluated_weeks, make_stream
from tests.monitoring.test_daily_pages import steady_days

pytestmark = pytest.mark.django_db


@pytest.fixture
def stream(project: Project, reviewer: User) -> Stream:
    return make_stream(project, [reviewer], thresholds={"tone": 4.0})


def page_of(stream: Stream, person: User) -> str:
    page = client_of(person).get(f"/projects/{stream.project.slug}/monitor/{stream.pk}/").text
    return " ".join(page.partition('class="key-figures"')[2].partition("Weekly metrics")[0].split())


def test_they_are_guessed_from_the_rubric(stream: Stream) -> None:
    assert stream.key_figures["satisfaction"] == {"criterion": "tone", "metric": "assessed:thumb"}
    assert stream.key_figures["hallucination"]["criterion"] == stream.error_criterion
    assert stream.key_figures["hallucination"]["metric"] == "unsupported_numbers"


@pytest.mark.parametrize(
    ("week", "last_day", "state"),
    [(4.5, 0.80, "Fine"), (4.5, 0.20, "Watch"), (3.5, 0.80, "Alert"), (3.5, 0.20, "Alert")],
)
def test_the_state_is_told_by_people_first_and_then_by_all_outputs(
    stream: Stream, manager: User, week: float, last_day: float, state: str
) -> None:
    evaluated_weeks(stream, [week])
    steady_days(stream, [0.8, 0.81] * 10 + [last_day], metric="assessed:thumb")
    DailyMetric.objects.update(squares=0)
    for day in DailyMetric.objects.all():
        day.squares = day.total
        day.save()
    first = page_of(stream, manager).partition("</section>")[0]
    assert 'Satisfaction <span class="chip' in first and f">{state}<" in first
    assert f"{week:.1f}"[:3] in first and "all outputs: " in first


def test_monitor_shows_those_of_every_stream(
    project: Project, stream: Stream, reviewer: User, manager: User
) -> None:
    evaluated_weeks(stream, [3.5])
    steady_days(stream, [0.8, 0.81] * 10, metric="assessed:thumb")
    make_stream(project, [reviewer], name="Letters")
    rows = client_of(manager).get(f"/projects/{project.slug}/monitor/").text.partition("<tbody>")[2]
    letters, watched = (" ".join(part.split()) for part in rows.split("<tr data-href")[1:])
    assert "Letters" in letters and letters.count("–") == 3 and "Alert" not in letters
    satisfaction = watched.partition('data-label="Satisfaction"')[2].partition("</td>")[0]
    assert "3.5" in satisfaction and ">Alert<" in satisfaction
    assert ">Alert<" not in watched.partition('data-label="Relevance"')[2]


def test_a_week_that_is_back_is_watched_until_the_smoothed_line_follows(
    stream: Stream, manager: User
) -> None:
    evaluated_weeks(stream, [3.0, 3.0, 4.6])
    first = page_of(stream, manager).partition("</section>")[0]
    assert ">Watch<" in first and "4.6" in first


def test_without_anything_nothing_is_claimed(stream: Stream, manager: User) -> None:
    assert page_of(stream, manager) == ""
    steady_days(stream, [12.0] * 3)
    assert page_of(stream, manager).count("Not tested") >= 3


def test_others_are_chosen_on_the_form_and_by_programs(stream: Stream, manager: User) -> None:
    program = program_of(manager)
    address = f"projects/{stream.project.slug}/streams/{stream.pk}/"
    chosen = {"satisfaction": {"criterion": "clarity", "metric": "sent:csat"}}
    assert program.patch(address, {"key_figures": chosen}).json()["key_figures"] == chosen
    for wrong in (
        {"joy": {"criterion": "tone"}},
        {"relevance": {"criterion": "nothing"}},
        {"relevance": {"colour": "red"}},
        {"relevance": "tone"},
    ):
        problem_in(program.patch(address, {"key_figures": wrong}), 400)
    client, url = client_of(manager), f"/projects/{stream.project.slug}/monitor/{stream.pk}/edit/"
    form = client.get(url).text
    assert "Satisfaction: criterion" in form and "Hallucination: metric of all outputs" in form
    given = {
        "name": stream.name,
        "outputs_per_week": 5,
        "overlap": 1,
        "baseline_weeks": 12,
        "sampling": "proportional",
        "error_criterion": stream.error_criterion,
        "reviewers": [stream.stream_reviewers.get().user_id],
        "next_sample_at": f"{timezone.now() + dt.timedelta(days=3):%Y-%m-%dT%H:%M}",
        "satisfaction-criterion": "tone",
        "satisfaction-metric": "words",
        "follows_champion": "on",
    }
    answer = client.post(url, given)
    assert answer.status_code == 302, answer.text
    stream.refresh_from_db()
    assert stream.key_figures["satisfaction"] == {"criterion": "tone", "metric": "words"}
    assert stream.follows_champion
