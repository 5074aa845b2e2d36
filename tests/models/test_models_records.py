import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from realframe.models import frame_features

VECTORS = arrays(np.float32, st.integers(1, 40), elements=st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False))


@given(VECTORS)
def test_a_vector_comes_back_from_its_text(vector: np.ndarray) -> None:
    back = frame_features.from_text(frame_features.as_text(vector))
    assert back.dtype == np.float32
    assert back == pytest.approx(vector, abs=2.0**-10 * max(float(np.abs(vector).max()), 1e-37))
