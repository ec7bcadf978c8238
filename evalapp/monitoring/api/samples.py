"""Weekly samples that were drawn elsewhere."""

from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, Fields, List, Number, Text, Whole
from evalapp.api.operations import operation, route
from evalapp.monitoring.api.events import MOST_BYTES
from evalapp.monitoring.api.streams import StreamView, WeekSerializer
from evalapp.monitoring.daily.models import LONGEST_STRATUM
from evalapp.monitoring.given_samples import SentOutput, store_sent_sample
from evalapp.monitoring.services import MOST_PER_WEEK


class GivenOutputBody(Body):
    event = Fields(help_text="Events as for “Send events”, each with an id and a time within the week.")
    stratum = Text(max_length=LONGEST_STRATUM, allow_blank=True, default="")
    probability = Number(
        min_value=0,
        max_value=1,
        help_text=(
            "Probability with which the output was sampled: above 0, at most 1. Its weight is 1/probability."
        ),
    )


class SampleBody(Body):
    ends_at = serializers.DateTimeField(help_text="The end of the week.")
    strata = serializers.DictField(
        child=Whole(min_value=1),
        help_text="Stratum → number of outputs in the week; use the empty name if there are no strata.",
    )
    outputs = List(child=GivenOutputBody(), min_length=1, max_length=MOST_PER_WEEK)


@route("streams/<int:stream_id>/samples/", "api_stream_samples")
class StreamSamples(StreamView):
    required_permission = Permission.EDIT_DATA
    most_body_bytes = MOST_BYTES

    @operation("Send a weekly sample", body=SampleBody, result=WeekSerializer, status=201)
    def post(self, stream_id: int) -> object:
        """For an application that does not send all outputs: it samples a week in its own warehouse and sends
        that sample with each output's probability. The estimates are the same. The week is the stream's next
        week or one without events; 409 if it is already sampled. 400 for probabilities that do not fit the
        stated sizes of the strata.
        """
        stream = self.stream(stream_id)
        values = self.body()
        return store_sent_sample(
            stream=stream,
            ends_at=values["ends_at"],
            sizes=values["strata"],
            given=[SentOutput(**each) for each in values["outputs"]],
            by=self.person,
        )
