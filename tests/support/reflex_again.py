"""`reflex run --env prod`, without building a page that is built already; for tests that start a server many times."""

from reflex import reflex
from reflex.utils import build


def nothing(*_: object, **__: object) -> None:
    """Leave the page as it is."""


if __name__ == "__main__":
    reflex._compile_app = nothing
    build.setup_frontend_prod = nothing
    reflex.cli()
