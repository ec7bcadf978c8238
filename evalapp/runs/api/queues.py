"""The queues of all workers."""

from typing import Any

from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.operations import ProjectView, operation, route
from evalapp.embedded.programs import QUEUES
from evalapp.jobs.api import JobSerializer
from evalapp.runs.execution.queue_page import queue_view


class QueueEntrySerializer(serializers.Serializer[Any]):
    job = JobSerializer()
    run = serializers.IntegerField(
        source="run.pk", allow_null=True, default=None, help_text="Id of the job's run."
    )


class QueuePositionSerializer(serializers.Serializer[Any]):
    """A waiting job, with the jobs that will start before it as things stand."""

    job = JobSerializer(source="entry.job")
    run = serializers.IntegerField(source="entry.run.pk", allow_null=True, default=None)
    number = serializers.IntegerField(
        allow_null=True, help_text="Position in the queue of all projects, from 1; null far behind."
    )
    own_ahead = serializers.IntegerField()
    others_ahead = serializers.IntegerField()
    why = serializers.CharField()


class HeartbeatSerializer(serializers.Serializer[Any]):
    """A worker, with the time of its last heartbeat."""

    name = serializers.CharField()
    age = serializers.FloatField(
        help_text="Seconds since the last heartbeat; workers send one every two seconds."
    )
    is_silent = serializers.BooleanField(
        help_text="True after 20 seconds without a heartbeat: the worker hangs, or its machine is down."
    )


class QueueSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    running = QueueEntrySerializer(many=True)
    running_elsewhere = serializers.IntegerField(help_text="Number of running jobs of other projects.")
    queued = QueuePositionSerializer(many=True, help_text="In the order in which they will start.")
    queued_elsewhere = serializers.IntegerField(help_text="Number of waiting jobs of other projects.")
    paused = QueueEntrySerializer(many=True)
    workers = HeartbeatSerializer(many=True)
    oldest_waits = serializers.DurationField(
        allow_null=True, help_text="Longest waiting time of a job, in any project."
    )


class QueuesSerializer(serializers.Serializer[Any]):
    queues = QueueSerializer(many=True)


@route("queue/", "api_queue")
class QueueList(ProjectView):
    required_permission = Permission.VIEW_RUNS
    post_permission = Permission.START_RUNS

    @operation("Read the queues", result=QueuesSerializer)
    def get(self) -> object:
        """Running, waiting (with reasons) and paused jobs. `models` has trainings and generations, one at a
        time per GPU; `default` has everything else. Jobs of other projects are counted but not named.
        """
        return {"queues": [queue_view(self.project, name) for name in reversed(QUEUES)]}
