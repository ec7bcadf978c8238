"""A password hasher like the product's that takes no time: the usual one takes a tenth of a second of a core
and 100 MB for each password that is set or checked.
"""

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher


class QuickArgon2PasswordHasher(Argon2PasswordHasher):
    time_cost = 1
    memory_cost = 8
    parallelism = 1


def take_no_time() -> None:
    """Install the quick hasher. Call it before the first password."""
    first, *others = settings.PASSWORD_HASHERS
    assert first.endswith(".Argon2PasswordHasher")
    settings.PASSWORD_HASHERS = [f"{__name__}.{QuickArgon2PasswordHasher.__name__}", *others]
