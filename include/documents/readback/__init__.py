"""One fact, every document: finished files are read back, and what they state is held against their facts."""

from include.documents.readback.making import check_made
from include.documents.readback.statements import Statements, read_statements

__all__ = ["Statements", "check_made", "read_statements"]
