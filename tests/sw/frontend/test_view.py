"""Views: which groups of elements are whole channels."""

import numpy as np
from narrows.sw.frontend.view import View

INDEX = np.arange(24).reshape(1, 2, 3, 4)


def channels(index, axes=(2, 3)):
    return View("t", index).pixels_of_channels(axes, 12)


def test_whole_channels_in_any_order():
    np.testing.assert_array_equal(channels(INDEX), [[0, 1]])
    np.testing.assert_array_equal(channels(INDEX[:, ::-1, ::-1]), [[1, 0]])
    np.testing.assert_array_equal(channels(INDEX.transpose(0, 2, 3, 1), (1, 2)), [[0, 1]])


def test_pixels_that_are_repeated_or_left_out_make_no_channel():
    assert channels(INDEX[:, :, [0, 0, 2]]) is None
    assert channels(INDEX[:, :, :2]) is None
    assert channels(np.roll(INDEX, 1, axis=1).reshape(1, 2, 3, 4) // 12 * 12) is None


def test_pixels_of_two_channels_make_none():
    assert channels(INDEX.reshape(1, 24)[:, 6:18].reshape(1, 1, 3, 4)) is None
