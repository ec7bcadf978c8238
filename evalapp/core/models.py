from django.db import models


class BaseModel(models.Model):
    """Base of all models: an integer key, never shown to blind reviewers, and the creation time."""

    id = models.BigAutoField(primary_key=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True
