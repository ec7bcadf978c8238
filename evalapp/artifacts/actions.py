"""Actions on artifacts (set aside, keep, remove) for pages, the API and the command."""

from evalapp.accounts.models import User
from evalapp.artifacts import removal
from evalapp.artifacts.inventory import Artifact
from evalapp.core.errors import ConflictError

ACTS = {"set_aside": "set aside", "keep": "kept", "remove": "removed"}
"""Each with what was done then."""


def act_on_artifact(act: str, artifact: Artifact, *, by: User | None) -> None:
    """``set_aside``, ``keep`` or ``remove`` it. Raises as those do; ConflictError for what is
    not set aside.
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
