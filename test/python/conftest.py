"""Finds the package of this checkout and keeps runs repeatable."""

import pathlib
import sys
import warnings

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "python"))

import hypothesis  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

hypothesis.settings.register_profile("tsgu", deadline=None, derandomize=True)
hypothesis.settings.load_profile("tsgu")
warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")


def pytest_configure():
    try:
        import tsgu  # noqa: F401
    except ImportError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def pytest_report_header():
    import tsgu

    return (
        f"tsgu: on {tsgu.show_config()['device']}, libraries from {tsgu._runtime.library.directory}"
    )
