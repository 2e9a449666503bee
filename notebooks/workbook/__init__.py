"""What the chapters import to look at the shop. Nothing about migrations is hidden here.

``Workspace`` gives a chapter its own copy of the shop, and has the verbs of
looking; ``expect_error`` shows an error that is meant to come;
``check_environment`` says whether everything is installed.
"""

from .environment import check_environment, require_environment

require_environment()

from .errors import WorkbookError, expect_error  # noqa: E402
from .workspace import Workspace  # noqa: E402

__all__ = ["WorkbookError", "Workspace", "check_environment", "expect_error"]
