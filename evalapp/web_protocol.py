"""Keys of the WSGI environment shared by the web server and the application."""

HEALTH_PATH = "/healthz"

REQUESTS = "evalapp.requests"
"""In a request to HEALTH_PATH: how many others this process has at work, and waiting for a thread."""

UNASKED_BODY_BYTES = 64 * 2**10
"""A body up to this size is received from anybody; for a larger one the application is asked first."""

BODY_ANNOUNCED = "evalapp.body_announced"
"""The body has not come: the application shall only say whether it wants it, or answer without."""

BODY_WANTED = "evalapp.body_wanted"
"""What the application puts into the environment where it wants the body. Its answer is then thrown away."""
