"""The bundled model, loaded once; tests of this folder only read it."""

import pytest

from sentiment.encoder import BundledModel


@pytest.fixture(scope="session")
def model() -> BundledModel:
    return BundledModel.load()
