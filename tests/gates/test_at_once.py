"""However many ask at the same moment, a standard gate is evaluated once, and a word is given once."""

import pytest

from evalapp.accounts.models import Project, User
from evalapp.gates.attestations import attest_training_data
from evalapp.gates.evaluation import evaluate_gate
from evalapp.gates.models import GateEvaluation, TrainingDataAttestation
from tests.at_once import at_once
from tests.factories import answers, review_all
from tests.gates.making import make_gated_campaign

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 12


def test_a_standard_gate_is_evaluated_once(
    project: Project, reviewer: User, engineer: User, manager: User
) -> None:
    gated = make_gated_campaign(project, [reviewer, engineer], challengers=None, population="panel")
    for person in (reviewer, engineer):
        said = {(name, row): answers(tone=5) for name in ("old Gated", "v1 Gated") for row in range(1, 7)}
        review_all(gated.campaign, person, said)
    candidate = gated.campaign.candidates.get(position=1).model_version

    found = at_once(
        AT_ONCE, lambda _: evaluate_gate(campaign_gate=gated, candidate=candidate, by=manager).is_new
    )

    assert sorted(found) == [False] * (AT_ONCE - 1) + [True], found
    assert GateEvaluation.objects.get().share == 1.0


def test_training_data_is_attested_once(
    project: Project, reviewer: User, engineer: User, manager: User
) -> None:
    gated = make_gated_campaign(project, [reviewer, engineer])
    bought = gated.campaign.candidates.get(position=0).model_version

    def attest(number: int) -> str:
        attest_training_data(
            campaign=gated.campaign, candidate=bought, statement=f"Word {number}.", by=manager
        )
        return "kept"

    found = at_once(AT_ONCE, attest)

    assert found.count("kept") == 1, found
    assert {str(each) for each in found if each != "kept"} == {
        f"The training data of {bought.label} is attested already."
    }
    assert TrainingDataAttestation.objects.count() == 1
