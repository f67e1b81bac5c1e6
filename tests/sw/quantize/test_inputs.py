"""The input's format holds what calibration samples showed, and has room for what they did not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrows.hw.spec.formats import Int
from narrows.sw.quantize.inputs import choose_input, finer


def restored(choice, x):
    """What of real values is left on the levels of the format."""
    levels = np.clip(choice.format.quantise(x / choice.scale + choice.zero), choice.format.bottom, choice.format.top)
    return (levels - choice.zero) * choice.scale


@given(st.integers(1, 255), st.integers(1, 20), st.integers(0, 2**32))
def test_images_are_uint8_whatever_their_darkest_calibration_shows(brightest, count, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, brightest, (count, 3, 4, 4), endpoint=True)
    images[:, 0, 0, 0] = rng.integers(0, brightest, count, endpoint=True)
    choice = choose_input(images)
    assert (choice.scale, choice.zero, choice.error) == (1.0, 0, 0.0)
    np.testing.assert_array_equal(restored(choice, images), images)
    shares = (images.max(axis=(1, 2, 3)) == images.max()).mean(), (images.min(axis=(1, 2, 3)) == images.min()).mean()
    if count < 8 or min(shares) < 0.5:
        assert choice.format == Int(8, signed=False)


@pytest.mark.parametrize(
    ("low", "high", "name"),
    [(0, 16, "uint5"), (0, 255, "uint8"), (0, 1, "uint2"), (-127, 127, "int8"), (-1, 1, "int2")],
)
def test_levels_that_most_samples_reach_are_all_there_are(low, high, name):
    samples = np.tile([low, 0, high], (8, 1))
    choice = choose_input(samples)
    assert (choice.format.name, choice.scale, choice.zero) == (name, 1.0, 0)
    assert choose_input(samples[:7]).format.bits == 8


def test_signed_integers_are_int8_and_keep_the_code_beyond_its_levels():
    choice = choose_input(np.array([[-3, 90], [5, 20]]))
    assert (choice.format.name, choice.scale, choice.zero) == ("int8", 1.0, 0)
    codes = np.arange(-128, 128)
    choice = choose_input(codes[np.newaxis])
    assert (choice.format.name, choice.zero, choice.error) == ("uint8", 128, 0.0)
    np.testing.assert_array_equal(restored(choice, codes), codes)


@pytest.mark.parametrize(("step", "zero"), [(1 / 255, 0), (1 / 256, 0), (1 / 128, 128)])
def test_scaled_images_keep_their_256_values(step, zero):
    rng = np.random.default_rng(3)
    dark = ((rng.integers(0, 200, (20, 5, 5)) - zero) * step).astype(np.float32)
    choice = choose_input(dark)
    every = (np.arange(256) - zero) * step
    np.testing.assert_allclose(restored(choice, every), every, atol=1e-12)


def test_real_values_are_not_clamped_nor_the_next_ones():
    rng = np.random.default_rng(4)
    choice = choose_input(rng.normal(size=(100, 40)))
    later = rng.normal(size=(1000, 40))
    assert np.abs(restored(choice, later) - later).max() <= 0.5001 * choice.scale
    assert choice.scale < 6 / 127  # 4.2 standard deviations are the largest of 40,000 draws


@pytest.mark.parametrize(
    ("low", "high"), [(-2.5, 0.5), (0.0, 3.7), (-1.0, 1.0), (-0.3, 0.0), (100.5, 101.5), (-300.0, 300.0), (0.0, 1000.0)]
)
def test_ends_that_samples_share_are_kept_exactly(low, high):
    samples = np.random.default_rng(5).uniform(low, high, (50, 10))
    samples[::3, 0], samples[::3, 1] = low, high
    choice = choose_input(samples)
    steps = (max(high, 0.0) - min(low, 0.0)) / choice.scale
    assert 250 < steps < 256
    np.testing.assert_allclose(restored(choice, samples), samples, atol=0.5001 * choice.scale)


def test_few_samples_leave_a_quarter_of_room():
    choice = choose_input(np.array([[0.1, 0.7], [0.2, 0.9]]))
    assert choice.format == Int(8, signed=False)
    assert choice.scale == pytest.approx(1.25 * 0.9 / 255)


def test_an_input_of_zeros_has_a_scale():
    assert choose_input(np.zeros((3, 2))).scale == 1.0


@pytest.mark.parametrize("scale", [1 / 255, 0.5847029089927673, 3e-4])
@pytest.mark.parametrize(("low", "high"), [(0, 250), (-211, 43), (-100, 27), (-90, -20)])
def test_values_on_common_steps_are_held_exactly(scale: float, low: int, high: int) -> None:
    q = np.random.default_rng(7).integers(low, high + 1, 4000)
    values = (np.concatenate([q, [low, high]]) * scale).astype(np.float32)
    choice = choose_input(values)
    assert choice.format == Int(8, signed=low < 0)
    assert choice.scale == pytest.approx(scale, rel=1e-6)
    levels = choice.format.quantise(values.astype(np.float64) / choice.scale + choice.zero)
    np.testing.assert_allclose(choice.scale * (levels - choice.zero), values, atol=1e-3 * scale)


@pytest.mark.parametrize("bits", range(2, 8))
def test_fewer_bits_hold_the_same_range_with_coarser_steps(bits):
    images = np.random.default_rng(bits).integers(0, 255, (20, 3, 8, 8), endpoint=True)
    choice = choose_input(images, bits)
    assert choice.format == Int(bits, signed=False) and choice.zero == 0
    assert choice.scale * choice.format.top == pytest.approx(255)
    assert np.abs(restored(choice, images) - images).max() <= choice.scale / 2 + 1e-9
    assert choice.error == pytest.approx(np.square(restored(choice, images) - images).mean())


def test_zero_stays_a_level_of_fewer_bits_and_what_is_narrow_stays():
    pixels = np.random.default_rng(0).integers(0, 255, (20, 3, 8, 8), endpoint=True) / 127.5 - 1
    choice = choose_input(pixels, 5)
    assert choice.format.bits == 5 and restored(choice, np.zeros(1)) == 0
    assert np.abs(restored(choice, pixels) - pixels).max() <= 1.01 * choice.scale
    levels = np.tile([0, 3, 16], (8, 1))
    assert choose_input(levels, 6) == choose_input(levels)


@pytest.mark.parametrize(("low", "high", "top"), [(0, 1, 85), (-1, 1, 127), (0, 16, 8 * 16), (-7, 7, 18 * 7)])
def test_few_levels_are_as_exact_in_finer_steps(low: int, high: int, top: int) -> None:
    samples = np.tile([low, 0, high], (8, 1))
    choice = finer(choose_input(samples))
    assert (choice.format, choice.error) == (Int(8, signed=low < 0), 0.0)
    np.testing.assert_allclose(choice.scale * top, high, rtol=1e-12)
    np.testing.assert_allclose(restored(choice, samples), samples, rtol=1e-12)
    assert finer(choice) == choice
