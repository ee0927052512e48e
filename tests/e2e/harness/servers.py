"""A mark for tests, or modules of them, that run behind each web server."""

import pytest

every_server = pytest.mark.parametrize("server", ["lighttpd", "nginx"],
                                       indirect=True, scope="session")
