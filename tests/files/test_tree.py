"""Trees of values and arrays come back as they were."""

import json
from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skae.files import TreeError, pack, unpack


class Point(NamedTuple):
    x: np.ndarray
    y: float


def named(value):
    return ("Point", value._asdict()) if isinstance(value, Point) else None


def through_json(tree):
    content, arrays = pack(tree, named)
    return unpack(json.loads(json.dumps(content)), arrays, lambda name, fields: Point(**fields))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        -0.0,
        0.1,
        5e-324,
        10**30,
        float("inf"),
        'text \ud800 " \\ é',
        [],
        (),
        [1, (2, [3.0])],
        {"a": {"b": (None, "c")}},
        np.float32(0.1),
        np.int64(7),
        np.bool_(True),
        np.str_("word"),
    ],
)
def test_values_keep_their_type_and_bits(value):
    again = through_json({"value": value})["value"]
    assert type(again) is type(value)
    assert again == value and repr(again) == repr(value)


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "u1", "?"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 3)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_keep_dtype_shape_bits_and_order(dtype, shape, order):
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype).copy(order=order)
    again = through_json([array])[0]
    assert again.dtype == array.dtype and again.tobytes() == array.tobytes()
    assert again.shape == shape and again.strides == array.strides


def test_arrays_of_strings_keep_them_however_they_look():
    names = np.array(["a", "b\0", "['x']", ""], dtype=object)
    again = through_json(names)
    assert again.dtype == object
    assert_array_equal(again, names)


def test_records_are_made_of_their_fields():
    point = Point(np.ones(2), 3.0)
    again = through_json({"points": [point]})["points"][0]
    assert type(again) is Point and again.y == 3.0
    assert_array_equal(again.x, point.x)


def test_arrays_are_named_after_their_places():
    assert set(pack({"a": [np.ones(1), {"b": np.ones(1)}]}, named)[1]) == {"a/0", "a/1/b"}


@pytest.mark.parametrize(
    "value, what",
    [
        (print, "builtin_function"),
        (1j, "complex"),
        (np.array([print]), "dtype object"),
        (np.array(["a"]), "dtype <U1"),
        ({1: 2}, "not a string, 1"),
        ({"a"}, "a set"),
        (type("Text", (str,), {})("a"), "a Text"),
    ],
)
def test_anything_else_is_refused_with_its_place(value, what):
    with pytest.raises(TreeError, match=what) as caught:
        pack({"fine": 1, "branch": [0, value]}, named)
    assert caught.value.path[:2] == ("branch", "1")


def test_two_places_of_one_name_are_refused():
    with pytest.raises(TreeError, match="two arrays by the name 'a/0'"):
        pack({"a": [np.ones(1)], "a/0": np.ones(1)}, named)


@pytest.mark.parametrize(
    "content, what",
    [
        ({"array": "b"}, "no array 'b'"),
        ({"array": ["a"]}, "no array"),
        ({"tuple": 3}, "int for a"),
        ({"dict": []}, "list for a"),
        ({"odd": 1}, "odd"),
        ({"a": 1, "b": 2}, "for a value"),
        ({"scalar": "a"}, r"shape \(2,\) for a number"),
        ([], "nothing names, 'a'"),
        ([{"array": "a"}, {"array": "a"}], "second time"),
        ({"strings": [1]}, "among strings"),
    ],
)
def test_json_that_is_no_tree_is_refused(content, what):
    with pytest.raises(TreeError, match=what):
        unpack(content, {"a": np.ones(2)}, None)


def test_records_are_refused_where_none_may_be():
    with pytest.raises(TreeError, match="for a value"):
        unpack({"record": "Point", "fields": {}}, {}, None)
