from typing import Any

from evalapp.accounts.permissions import Permission
from evalapp.analysis.sweep_curve import learning_curve
from evalapp.analysis.sweep_measures import measure_choices, values_of
from evalapp.api.fields import Paging
from evalapp.api.operations import operation
from evalapp.api.serializers.sweeps import (
    CurveQuery,
    LearningCurveSerializer,
    SweepBody,
    SweepSerializer,
    SweepTableSerializer,
)
from evalapp.api.views.runs import RunView
from evalapp.core.errors import InvalidError
from evalapp.core.http import get_or_missing
from evalapp.runs import queries
from evalapp.runs.models import Sweep
from evalapp.runs.sweep_results import sweep_table
from evalapp.runs.sweeps import cancel_sweep, start_sweep


class SweepView(RunView):
    required_permission = Permission.VIEW_RUNS
    post_permission = Permission.START_RUNS

    def sweep(self, sweep_id: int) -> Sweep:
        return get_or_missing(queries.sweeps_of(self.project), pk=sweep_id)

    def told(self, sweep_id: int) -> dict[str, Any]:
        sweep = self.sweep(sweep_id)
        return {"sweep": sweep, "table": sweep_table(sweep)}


class SweepList(SweepView):
    @operation("List sweeps", query=Paging, result=SweepSerializer, paged=True)
    def get(self) -> object:
        """Newest first."""
        return self.page(queries.sweeps_of(self.project))

    @operation("Start a sweep", body=SweepBody, result=SweepSerializer, status=202)
    def post(self) -> object:
        """A training for every combination of the values in `axes`: several seeds, a small grid, or shares of the data.
        All are validated on the same rows. Refused as a training is, all of them or none.
        """
        sweep = start_sweep(project=self.project, by=self.person, **self.asked_training())
        return self.sweep(sweep.pk)


class SweepDetail(SweepView):
    @operation("Read a sweep", result=SweepTableSerializer)
    def get(self, sweep_id: int) -> object:
        """Its trainings with their settings, losses and cost; the best by validation loss once two are done."""
        return self.told(sweep_id)


class SweepCurve(SweepView):
    @operation("Read a sweep's learning curve", query=CurveQuery, result=LearningCurveSerializer)
    def get(self, sweep_id: int) -> object:
        """A measure against the number of examples, what each growth bought, and what that says about more of them."""
        told = self.told(sweep_id)
        sweep, table = told["sweep"], told["table"]
        choices = measure_choices(sweep, self.person)
        by = self.query["by"]
        measure = choices.chosen(by)
        if measure.key != by:
            message = (
                f"This sweep has no measure {by!r}. It has {', '.join(each.key for each in choices.choices)}."
            )
            raise InvalidError(message, fields={"by": [message]})
        curve = learning_curve(table, measure, values_of(measure, sweep, table))
        return {"curve": curve, "measures": choices.choices}


class SweepCancel(SweepView):
    @operation("Cancel a sweep", result=SweepTableSerializer)
    def post(self, sweep_id: int) -> object:
        """Every training that is not over; one that goes on saves its work first. 409 when all are over."""
        sweep = self.sweep(sweep_id)
        self.body()
        cancel_sweep(sweep=sweep, by=self.person)
        return self.told(sweep_id)
