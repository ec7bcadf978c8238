"""Who may do what: one table. Views, API and templates ask it; tests enumerate it."""

from enum import StrEnum

from evalapp.accounts.models import Role


class Permission(StrEnum):
    VIEW_HOME = "view the project"
    REVIEW = "review"
    VIEW_DATA = "view data"
    EDIT_DATA = "import and change data"
    VIEW_RUBRICS = "view rubrics"
    EDIT_RUBRICS = "write rubrics"
    VIEW_MODELS = "view models"
    EDIT_MODELS = "register models"
    VIEW_RUNS = "view runs"
    START_RUNS = "start and cancel runs"
    VIEW_CAMPAIGNS = "view campaigns"
    EDIT_CAMPAIGNS = "design and run campaigns"
    VIEW_ANALYSIS = "view results and cases"
    ADJUDICATE = "request changes to reviews and adjudicate them"
    VIEW_EXPORTS = "view exports"
    EDIT_EXPORTS = "export feedback"
    DECIDE_EXPORT_ROWS = "accept corrections"
    DECIDE = "decide on a cycle"
    MANAGE_MEMBERS = "manage members"
    VIEW_AUDIT = "view the audit"
    MANAGE_WEBHOOKS = "manage webhooks"
    UNMASK = "see the originals of masked personal data"
    ALLOW_CONTAMINATION = "allow a training on rows that are also used for evaluation"
    DELETE_PROJECT = "delete the project"


_REVIEWER = frozenset({Permission.REVIEW})
_ENGINEER = frozenset(
    {
        Permission.VIEW_HOME,
        Permission.REVIEW,
        Permission.VIEW_DATA,
        Permission.EDIT_DATA,
        Permission.VIEW_RUBRICS,
        Permission.VIEW_MODELS,
        Permission.EDIT_MODELS,
        Permission.VIEW_RUNS,
        Permission.START_RUNS,
        Permission.VIEW_CAMPAIGNS,
        Permission.VIEW_ANALYSIS,
        Permission.VIEW_EXPORTS,
        Permission.EDIT_EXPORTS,
        Permission.DECIDE_EXPORT_ROWS,
    }
)
_MANAGER = _ENGINEER | {
    Permission.EDIT_RUBRICS,
    Permission.EDIT_CAMPAIGNS,
    Permission.ADJUDICATE,
    Permission.DECIDE,
    Permission.MANAGE_MEMBERS,
    Permission.VIEW_AUDIT,
    Permission.MANAGE_WEBHOOKS,
}
_OWNER = _MANAGER | {Permission.UNMASK, Permission.ALLOW_CONTAMINATION, Permission.DELETE_PROJECT}

PERMISSIONS: dict[str, frozenset[Permission]] = {
    Role.OWNER: frozenset(_OWNER),
    Role.MANAGER: frozenset(_MANAGER),
    Role.ENGINEER: _ENGINEER,
    Role.REVIEWER: _REVIEWER,
}


def allows(role: str, permission: Permission) -> bool:
    return permission in PERMISSIONS.get(role, frozenset())


# Which roles a role may give and take. A manager cannot make, unmake or replace an owner.
GRANTABLE: dict[str, frozenset[str]] = {
    Role.OWNER: frozenset(Role.values),
    Role.MANAGER: frozenset({Role.MANAGER.value, Role.ENGINEER.value, Role.REVIEWER.value}),
    Role.ENGINEER: frozenset(),
    Role.REVIEWER: frozenset(),
}


def may_grant(actor_role: str, role: str) -> bool:
    """Whether someone with ``actor_role`` may give ``role`` to a person, or take it from one."""
    return role in GRANTABLE.get(actor_role, frozenset())
