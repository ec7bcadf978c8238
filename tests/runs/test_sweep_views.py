"""The form of several trainings at once, their list and their end."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.datasets.models import DatasetVersion
from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Run, Sweep
from tests.form_addresses import run_form
from tests.runs.conftest import Behave
from tests.runs.test_views import training_form

ClientFor = Callable[[User | None], Client]


def sweep_form(version: DatasetVersion, base: ModelVersion, **changes: object) -> dict[str, object]:
    empty = dict.fromkeys(("seeds", "shares", "grid_1", "grid_1_values", "grid_2", "grid_2_values"), "")
    fields = {**training_form(version, base), **empty, "name": "Sizes", **changes}
    del fields["data_share"]
    return fields


def test_who_may_start_sweeps(
    project: Project, engineer: User, reviewer: User, stranger: User, behave: Behave, client_for: ClientFor
) -> None:
    address = run_form(project, "sweep")
    people = {engineer: 200, reviewer: 403, stranger: 404, None: 302}
    assert {person: client_for(person).get(address).status_code for person in people} == people


def test_a_preview_names_the_trainings_and_starts_none(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave,
    client_for: ClientFor,
) -> None:  # fmt: skip
    client = client_for(engineer)
    address = run_form(project, "sweep")
    form = sweep_form(
        version, base, seeds="1, 2", shares="50%, 100%", grid_1="learning_rate", grid_1_values="1e-4 2e-4"
    )
    page = client.post(address, {**form, "preview": "1"}).content.decode()
    assert "8 trainings:" in page
    assert "<li>learning rate 0.0001, 50% of the data, seed 1</li>" in page
    assert not Run.objects.exists()

    answer = client.post(address, form)
    sweep = Sweep.objects.get()
    assert answer["Location"] == reverse("sweep_detail", args=[project.slug, sweep.pk])
    assert sweep.axes == {"learning_rate": [1e-4, 2e-4], "data_share": [0.5, 1.0], "seed": [1, 2]}
    assert sweep.runs.count() == 8
    assert {run.spec["lora"]["alpha"] for run in sweep.runs.all()} == {4}
    assert "8 trainings wait" in client.get(answer["Location"]).content.decode()
    listed = client.get(reverse("sweep_list", args=[project.slug])).content.decode()
    assert "0 of 8" in listed
    run = sweep.runs.order_by("pk")[0]
    own = client.get(reverse("run_detail", args=[project.slug, run.pk])).content.decode()
    assert answer["Location"] in own, "a training names its sweep"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "at least two values"),
        ({"seeds": "1, two"}, "“two” is not a value of “Seed”"),
        ({"grid_1": "epochs"}, "Give “Epochs” its values"),
        ({"grid_1_values": "1 2"}, "Choose the setting that has these values"),
        ({"grid_1": "epochs", "grid_1_values": "1 2", "grid_2": "epochs"}, "is already chosen above"),
        ({"seeds": "1 2 3 4 5 6 7", "shares": "25 50 100"}, "= 21 trainings; a sweep has 20 at most"),
        ({"grid_1": "lora.rank", "grid_1_values": "4 9999"}, "rank 9999 is not between 1 and 512"),
        ({"shares": "25 500"}, "data_share 5"),
        ({"seeds": "1 2", "name": "x" * 61}, "60"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_starts(
    changes: dict[str, object], says: str, project: Project, engineer: User, version: DatasetVersion,
    base: ModelVersion, behave: Behave, client_for: ClientFor,
) -> None:  # fmt: skip
    answer = client_for(engineer).post(run_form(project, "sweep"), sweep_form(version, base, **changes))
    assert answer.status_code == 400
    assert says in answer.content.decode()
    assert not Sweep.objects.exists() and not Run.objects.exists()


def test_what_was_filled_in_for_one_training_goes_on_to_several(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave,
    client_for: ClientFor,
) -> None:  # fmt: skip
    filled = training_form(version, base, name="Half <done>", rank=31, epochs="")
    page = client_for(engineer).post(run_form(project, "training"), {**filled, "several": "1"}, follow=True)
    text = page.content.decode()
    assert page.redirect_chain[-1][0].startswith(run_form(project, "sweep"))
    assert "csrf" not in page.redirect_chain[-1][0]
    assert 'value="31"' in text and 'value="Half &lt;done&gt;"' in text
    assert not Run.objects.exists()


def test_cancel_ends_all_and_says_so(
    project: Project, engineer: User, reviewer: User, version: DatasetVersion, base: ModelVersion,
    behave: Behave,
    client_for: ClientFor,
) -> None:  # fmt: skip
    client = client_for(engineer)
    client.post(run_form(project, "sweep"), sweep_form(version, base, seeds="1 2"))
    address = reverse("sweep_cancel", args=[project.slug, Sweep.objects.get().pk])
    assert client_for(reviewer).post(address).status_code == 403
    assert client.get(address).status_code == 405
    assert "2 trainings were cancelled" in client.post(address, follow=True).content.decode()
    assert "nothing to cancel" in client.post(address, follow=True).content.decode()
