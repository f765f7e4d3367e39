"""Numbers at the border: which are taken, which refused, and in what words."""

import numpy as np
import pytest

import keras_gen as kg
from keras_gen.core.checks import integer, number


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_integers_of_python_and_numpy_are_one_kind(value):
    found = integer("k", value, 1, 5)
    assert found == 3 and type(found) is int


@pytest.mark.parametrize("value", [True, np.bool_(True), 3.0, "3", None, 0, 6, np.int32(-1), [3]])
def test_what_is_no_integer_in_range_is_named(value):
    with pytest.raises(kg.InvalidInput, match=r"^k=.*; give an integer from 1 to 5\.$"):
        integer("k", value, 1, 5)


def test_the_words_of_one_bound():
    with pytest.raises(kg.InvalidInput, match="of at least 1"):
        integer("k", 0, 1)
    with pytest.raises(kg.InvalidInput, match="of at most 2"):
        integer("k", 3, most=2)
    with pytest.raises(kg.InvalidInput, match="give an integer\\."):
        integer("seed", "a")
    assert integer("seed", -7) == -7


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int8(2)])
def test_numbers_of_python_and_numpy_are_one_kind(value):
    found = number("beta", value, 0)
    assert found == 2.0 and type(found) is float


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1", None, True, -0.1])
def test_what_is_no_finite_number_in_range_is_named(value):
    with pytest.raises(kg.InvalidInput, match="^beta=.*finite number of at least 0"):
        number("beta", value, 0)


def test_a_bound_can_be_left_out_itself():
    assert number("rate", 1e-9, 0, above=True) == 1e-9
    with pytest.raises(kg.InvalidInput, match="above 0"):
        number("rate", 0.0, 0, above=True)
