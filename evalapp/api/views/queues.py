from evalapp.accounts.permissions import Permission
from evalapp.api.operations import ProjectView, operation
from evalapp.api.serializers.queues import QueuesSerializer
from evalapp.embedded.programs import QUEUES
from evalapp.runs.queue_page import queue_view


class QueueList(ProjectView):
    required_permission = Permission.VIEW_RUNS
    post_permission = Permission.START_RUNS

    @operation("Read the queues", result=QueuesSerializer)
    def get(self) -> object:
        """What goes on, what waits for what and why, and what is paused. `models` holds trainings and generations,
        one at a time on each GPU; `default` everything else. Jobs of other projects are counted, never named.
        """
        return {"queues": [queue_view(self.project, name) for name in reversed(QUEUES)]}
