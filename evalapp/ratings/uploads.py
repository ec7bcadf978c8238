"""An upload of ratings is refused at its first bytes, before the rest of it is written anywhere."""

from evalapp.datasets.uploads import RefusingUploadHandler
from evalapp.ratings.readings import recognise


class RefusingRatingsHandler(RefusingUploadHandler):
    """As that of datasets, and takes the JSON lists of annotation tools as well."""

    recognise = staticmethod(recognise)
