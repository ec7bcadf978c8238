"""Actions on artifacts (set aside, keep, remove), shared by pages, API and management command."""

from evalapp.accounts.models import User
from evalapp.artifacts import removal
from evalapp.artifacts.inventory import Artifact
from evalapp.core.errors import ConflictError

ACTS = {"set_aside": "set aside", "keep": "kept", "remove": "removed"}
"""Actions and their past participles."""


def act_on_artifact(act: str, artifact: Artifact, *, by: User | None) -> None:
    """Apply ``set_aside``, ``keep`` or ``remove``. Raises the errors of these, and ConflictError for keeping
    or removing what is not set aside.
    """
    if act == "set_aside":
        removal.set_aside(kind=artifact.kind, path=artifact.path, by=by)
        return
    if artifact.set_aside is None:
        raise ConflictError(f"“{artifact.title}” is not set aside.")
    if act == "keep":
        removal.keep(row=artifact.set_aside, by=by)
    else:
        removal.remove(row=artifact.set_aside, by=by)
