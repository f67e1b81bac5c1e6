"""Errors meant for users: each message is one line that names what is wrong and says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..hw.spec.errors import NarrowsError

if TYPE_CHECKING:
    from .shortage import Shortage

__all__ = [
    "CapacityError",
    "CertificateError",
    "DamagedMemory",
    "ImportMismatch",
    "InputError",
    "ModelError",
    "NarrowsError",
    "ProgramError",
    "ProgramMismatch",
    "ToolMissing",
    "UnknownProgram",
    "UnsupportedOperator",
    "WidthError",
]


class ModelError(NarrowsError):
    """A model file that cannot be read, or whose contents make no sense."""


class UnsupportedOperator(ModelError):
    """An operator of the model that no layer of the accelerator can stand for."""


class ImportMismatch(ModelError):
    """A model whose import computes something else than another runtime does with its file: a fault of ours."""


class InputError(NarrowsError):
    """Input data, calibration data or a setting that does not fit the model."""


class UnknownProgram(InputError, KeyError):
    """A name that none of several programs has."""

    __str__ = InputError.__str__  # a KeyError's is in quotation marks


class ProgramError(NarrowsError):
    """A program file that cannot be read."""


class ProgramMismatch(ProgramError):
    """A program that was compiled for another configuration than the core's."""


class DamagedMemory(ProgramError):
    """A core that found a word of its memories damaged: what it computed is not to be used."""


class _Lacking(NarrowsError):
    """Something that a configuration has too little of; ``shortages`` say what, where it can be counted."""

    def __init__(self, message: str, shortages: tuple[Shortage, ...] = ()) -> None:
        super().__init__(message)
        self.shortages = shortages


class CapacityError(_Lacking):
    """A model that does not fit the configuration: memories, counts, digit planes."""


class CertificateError(_Lacking):
    """Weights whose sums need more accumulator bits than the configuration has."""


class WidthError(NarrowsError, AssertionError):
    """A number does not fit the width that configuration or certificate give it: a fault of quantiser or compiler."""


class ToolMissing(NarrowsError):
    """A program or an optional package that has to be installed first."""
