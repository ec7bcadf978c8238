"""Weekly samples that were drawn elsewhere."""

from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, Fields, List, Number, Text, Whole
from evalapp.api.operations import operation, route
from evalapp.monitoring.api.events import MOST_BYTES
from evalapp.monitoring.api.streams import StreamView, WeekSerializer
from evalapp.monitoring.daily.models import LONGEST_STRATUM
from evalapp.monitoring.given_samples import GivenOutput, take_sample
from evalapp.monitoring.services import MOST_PER_WEEK


class GivenOutputBody(Body):
    event = Fields(help_text="As for “Send events”, with an id and a time in the week.")
    stratum = Text(max_length=LONGEST_STRATUM, allow_blank=True, default="")
    probability = Number(
        min_value=0,
        max_value=1,
        help_text="With which it was drawn: above 0, at most 1. Its weight is 1 over it.",
    )


class SampleBody(Body):
    ends_at = serializers.DateTimeField(help_text="The end of the week.")
    strata = serializers.DictField(
        child=Whole(min_value=1), help_text="Stratum → outputs of the week; the empty name without strata."
    )
    outputs = List(child=GivenOutputBody(), min_length=1, max_length=MOST_PER_WEEK)


@route("streams/<int:stream_id>/samples/", "api_stream_samples")
class StreamSamples(StreamView):
    required_permission = Permission.EDIT_DATA
    most_body_bytes = MOST_BYTES

    @operation("Send a week's sample", body=SampleBody, result=WeekSerializer, status=201)
    def post(self, stream_id: int) -> object:
        """For an application with more outputs than it wants to send: it draws a week's sample in its own
        warehouse and sends that alone, with each output's probability. The estimates are the same. The week
        is the stream's next one, or one that was empty; 409 where it was sampled.
        Probabilities that cannot be of a stratum of the size that is stated are refused (400).
        """
        stream = self.stream(stream_id)
        values = self.body()
        return take_sample(
            stream=stream,
            ends_at=values["ends_at"],
            sizes=values["strata"],
            given=[GivenOutput(**each) for each in values["outputs"]],
            by=self.person,
        )
