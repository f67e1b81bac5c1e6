"""The built-in example's data."""

import numpy as np
from narrows.sw.examples import digits


def test_images_are_what_the_docstring_says():
    data = digits()
    assert data.test_x.shape == (450, 1, 8, 8) and data.calib_x.shape == (256, 1, 8, 8)
    assert data.test_x.dtype == data.calib_x.dtype == np.uint8
    assert data.calib_x.max() == 16
    assert np.bincount(data.test_y).min() >= 40 and data.test_y.max() == 9


def test_no_test_image_is_among_the_calibration_images():
    data = digits()
    calibration = {image.tobytes() for image in data.calib_x}
    assert not any(image.tobytes() in calibration for image in data.test_x)
