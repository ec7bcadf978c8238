"""What is guessed of a file from its first row, and what is said of one without a good record."""

import json
from io import BytesIO

import pytest

from evalapp.accounts.models import Project, User
from evalapp.ratings.formats import recognise_layout
from tests.ratings.files import carried_out, imported, received, told

pytestmark = pytest.mark.django_db
HEAD = "item,candidate,reviewer,criterion,value,time\n"


@pytest.mark.parametrize(
    ("time", "use"),
    [("2026-11-25T10:00:00Z", "submitted_at"), ("2026-11-25", "submitted_at"), ("12.5", "seconds")],
)
def test_a_time_is_a_moment_or_a_length_as_the_first_row_says(time: str, use: str) -> None:
    table = f"{HEAD}1,base,Mara,tone,4,{time}\n".encode()
    line = json.dumps(
        {"item": 1, "candidate": "b", "reviewer": "M", "criterion": "tone", "value": 4, "time": time}
    )
    assert recognise_layout("a.csv", BytesIO(table)).mapping["time"] == use
    assert recognise_layout("a.jsonl", BytesIO(line.encode())).mapping["time"] == use


def test_a_file_with_moments_goes_in_as_it_is(project: Project, manager: User) -> None:
    head = "item,candidate,reviewer,criterion,value,time,prompt,answer\n"
    rows = "".join(
        f"{item},base,Mara,tone,{item},2026-11-0{item}T10:00:00Z,Ask {item},Say {item}\n"
        for item in (1, 2, 3)
    )
    campaign = imported(project, manager, (head + rows).encode()).campaign
    assert campaign is not None
    assert campaign.reviews.order_by("submitted_at").values_list("submitted_at__day", flat=True)[0] == 1


@pytest.mark.parametrize("row", ["1,base,Mara,tone,a\x00b,3", "1,base,Mara,tone,4,soon", ",,,,,"])
def test_without_one_good_record_the_records_are_told_and_not_the_rubric(
    project: Project, manager: User, row: str
) -> None:
    ratings_import = received(project, manager, f"{HEAD}{row}\n".encode())
    job = carried_out(ratings_import, manager)
    assert job.state == "failed"
    assert "1 of 1 records cannot be used" in job.error
    assert told(ratings_import)
