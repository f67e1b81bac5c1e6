"""Weight words: which code each column and lane multiplies by."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig

__all__ = ["channel_span", "dense_words", "diagonal_words", "shared_words", "tile_count"]


def tile_count(channels: int, config: AcceleratorConfig) -> int:
    """Column groups that hold a number of output channels."""
    return -(-channels // config.columns)


def channel_span(config: AcceleratorConfig) -> int:
    """Fewest channels that are whole column groups and whole channel groups at once: a depthwise layer's period."""
    return math.lcm(config.columns, config.lanes)


def dense_words(codes: NDArray[np.uint8], config: AcceleratorConfig) -> NDArray[np.uint8]:
    """Weight words of taps in which every output channel reads every source channel.

    Parameters
    ----------
    codes : array of uint8, shape (O, I, taps)

    Returns
    -------
    array of uint8, shape (column groups, source channel groups, taps, columns * lanes)
        Codes; those of channels that do not exist are 0.
    """
    outputs, inputs, taps = codes.shape
    tiles, groups = tile_count(outputs, config), -(-inputs // config.lanes)
    padded = np.zeros((tiles * config.columns, groups * config.lanes, taps), dtype=np.uint8)
    padded[:outputs, :inputs] = codes
    split = padded.reshape(tiles, config.columns, groups, config.lanes, taps)
    return split.transpose(0, 2, 4, 1, 3).reshape(tiles, groups, taps, -1)


def diagonal_words(codes: NDArray[np.uint8], config: AcceleratorConfig, *, groups: int, span: int) -> NDArray[np.uint8]:
    """Weight words of taps in which output channel c reads source channel c only.

    Parameters
    ----------
    codes : array of uint8, shape (C, taps)
    groups : int
        Source channel groups that one column group reads.
    span : int
        Channels after which the channel groups read advance by ``span``.

    Returns
    -------
    array of uint8, shape (column groups, groups, taps, columns * lanes)
    """
    channels, taps = codes.shape
    tiles = tile_count(channels, config)
    words = np.zeros((tiles, groups, taps, config.columns, config.lanes), dtype=np.uint8)
    channel = np.arange(channels)
    read = channel % span
    words[channel // config.columns, read // config.lanes, :, channel % config.columns, read % config.lanes] = codes
    return words.reshape(tiles, groups, taps, -1)


def shared_words(words: NDArray[np.uint8], config: AcceleratorConfig) -> NDArray[np.uint8] | None:
    """Weight words of the column groups that read one word of activations, laid over each other.

    Parameters
    ----------
    words : array of uint8, shape (column groups, words, columns * lanes)
        Codes of a layer whose channel period are all `AcceleratorConfig.diagonals`.

    Returns
    -------
    array of uint8, shape (channel periods, words, columns * lanes), or None
        None if some column group has a weight in a lane of another one.
    """
    tiles, count, size = words.shape
    periods = -(-tiles // config.diagonals)
    padded = np.zeros((periods * config.diagonals, count, size), dtype=np.uint8)
    padded[:tiles] = words
    split = padded.reshape(periods, config.diagonals, count, config.columns, config.diagonals, config.columns)
    place = np.arange(config.diagonals)
    own = split[:, place, :, :, place]  # (diagonals, periods, words, columns, columns)
    if np.count_nonzero(own) != np.count_nonzero(padded):
        return None
    return own.transpose(1, 2, 3, 0, 4).reshape(periods, count, size)
