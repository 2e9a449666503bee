"""What the chapters import: it prepares a chapter's start, and it looks.

``Workspace`` gives a chapter its own copy of the shop (upgraded to revision 0001, without
the log) and has the verbs of looking: read its public methods first, in workspace.py.
``expect_error`` shows an error that is meant to come; ``check_environment`` says whether
everything is installed. The other modules compare and draw. No command of
Flask-Migrate is wrapped; what one long-lived kernel needs is in kernel.py.
"""

from .environment import check_environment, require_environment

require_environment()

from .errors import WorkbookError, expect_error  # noqa: E402
from .workspace import Workspace  # noqa: E402

__all__ = ["WorkbookError", "Workspace", "check_environment", "expect_error"]
