"""What the rooms agree on: every name, text and shape that crosses from one package to another, spelt once.

The models write it, the tasks score it, the report reads it, training renders it. This package imports the standard
library only, and everybody may import it.
"""

__version__ = "0.2.0"
"""The release; the only place where it stands."""
