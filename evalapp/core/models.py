from django.db import models


class BaseModel(models.Model):
    """An integer key that never appears to a blind reviewer, and when the row was made."""

    id = models.BigAutoField(primary_key=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True
