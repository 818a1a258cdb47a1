"""Libraries that the package can do without, imported when they are first needed."""

import importlib
import importlib.util


def is_installed(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False


def load(name, user, install):
    """The module of this name. Raises ImportError, which says who needs it and what to install."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{user} needs {name}, which cannot be imported ({error}): pip install {install}"
        ) from error
