"""Config: what core a program is made for."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...hw.spec.config import PRESETS, AcceleratorConfig, ConfigError
from ...hw.spec.config_file import load_config
from ...hw.spec.errors import among
from ..results import write_text
from .formats import Formats
from .html import table_html

if TYPE_CHECKING:
    from .model import Model

__all__ = ["DEFAULT_PRESET", "Config"]

DEFAULT_PRESET = "medium"


class Config:
    """A configuration of the core: a preset, a file or a board's core, and parameters that replace some of its own.

    Parameters
    ----------
    base : str, Path, Config or AcceleratorConfig, optional
        A preset (``tiny``, ``small``, ``demo``, ``medium``, ``large``) or a TOML file; ``medium`` without one.
    board : str or Path, optional
        Instead: the core of a board, by its name or by a Python file that defines ``BOARD``.
    **parameters
        Parameters by name, as `docs/machine.md` lists them: ``acc_bits=14``. One that is None is left as it is.

    Raises
    ------
    ConfigError
        If there is no such preset, file or parameter, or a value is out of range.
    BoardError
        If there is no such board.

    Examples
    --------
    >>> import narrows
    >>> narrows.Config("medium", acc_bits=14)
    Config('medium', acc_bits=14)
    >>> narrows.Config("tiny").macs
    32
    """

    def __init__(
        self,
        base: str | os.PathLike[str] | Config | AcceleratorConfig | None = None,
        *,
        board: str | os.PathLike[str] | None = None,
        **parameters: Any,
    ) -> None:
        if base is not None and board is not None:
            raise ConfigError("choose one of a base and a board: each says what core it is")
        given = {name: value for name, value in parameters.items() if value is not None}
        self._said = _said(base, board, given)
        self.core: AcceleratorConfig = _replaced(_core(base, board), given)
        """The configuration itself."""

    @classmethod
    def for_model(
        cls,
        model: Model,
        *,
        board: str | os.PathLike[str] | None = None,
        fps: float | None = None,
        target: str = "ecp5-85k",
        mhz: float = 50.0,
        weights: str | None = None,
        acts: str | None = None,
        **parameters: Any,
    ) -> Config:
        """The core that suits a model: nothing is quantised or synthesised for it.

        Without ``board`` and ``fps`` the best shape of up to 256 multiply-accumulates, with memories that hold the
        model. With ``fps`` the smallest one that is estimated to fit ``target`` and to be fast enough at ``mhz``.
        With ``board`` the board's own core, if it holds the model; with both, a core for the board's FPGA at its clock.

        Parameters
        ----------
        model : Model
        board : str or Path, optional
            A board's name, or a Python file that defines ``BOARD``.
        fps : float, optional
            Samples a second that it has to make.
        target : str
            One of ``narrows list targets``.
        mhz : float
            The clock in MHz that ``fps`` is meant at.
        weights, acts : str, optional
            Formats as `Model.quantize` takes them.
        **parameters
            Parameters that replace those of the core found.

        Raises
        ------
        CapacityError
            If no core holds the model, the board's does not, or none is fast enough.
        UnsupportedOperator
            If the model cannot run as it is.
        """
        from .sizing import check_size, config_for_rate, estimated_target, fpga_target, sized

        settings = Formats.of(weights=weights, acts=acts)
        if board is not None:
            from ...boards.catalogue import find_board

            found = find_board(board)
            if fps is None:
                core = found.config
                check_size(model.lowered, core, settings(core), None)
            else:
                core = config_for_rate(
                    model.lowered, settings, fps, fpga_target(found), found.clock_mhz, model.listener
                )
        elif fps is not None:
            device = estimated_target(target)
            core = config_for_rate(model.lowered, settings, fps, device, mhz, model.listener)
        else:
            core = sized(model.lowered, settings, model.listener)
        return cls(core, **parameters)

    def to_toml(self) -> str:
        """All parameters as a TOML file holds them: what `Config` and ``--config`` read."""
        return "".join(f"{name} = {json.dumps(value)}\n" for name, value in self.core.to_dict().items())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the parameters as a TOML file; its folder is made if need be."""
        write_text(Path(path), self.to_toml())
        return Path(path)

    def verilog(self, path: str | os.PathLike[str], *, wrapper: str | None = None, mhz: float = 50.0) -> list[Path]:
        """Write the core as Verilog, with the files beside it that a wrapper brings; see `Program.verilog`."""
        from .hardware import write_core

        return write_core(self.core, Path(path), wrapper=wrapper, mhz=mhz)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "core":
            raise AttributeError(name)
        return getattr(self.core, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Config) and other.core == self.core

    def __hash__(self) -> int:
        return hash(self.core.digest)

    def __repr__(self) -> str:
        return f"Config({self._said})"

    def _repr_html_(self) -> str:
        return table_html(repr(self), ("parameter", "value"), self.core.to_dict().items())


def _core(base: Any, board: str | os.PathLike[str] | None) -> AcceleratorConfig:
    if board is not None:
        from ...boards.catalogue import find_board

        return find_board(board).config
    if isinstance(base, Config):
        return base.core
    if isinstance(base, AcceleratorConfig):
        return base
    if isinstance(base, os.PathLike) or (isinstance(base, str) and base.endswith(".toml")):
        return load_config(Path(base))
    name = DEFAULT_PRESET if base is None else base
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {name!r}: {among(name, 'presets', PRESETS)}")
    return PRESETS[name]


def _replaced(core: AcceleratorConfig, parameters: dict[str, Any]) -> AcceleratorConfig:
    return AcceleratorConfig.from_dict(core.to_dict() | parameters) if parameters else core


def _said(base: Any, board: Any, parameters: dict[str, Any]) -> str:
    """The arguments, short."""
    if isinstance(base, Config):
        first = [base._said]
    elif isinstance(base, AcceleratorConfig):
        first = [f"{base.rows} x {base.columns} x {base.lanes}"]
    elif board is not None:
        first = [f"board={os.fspath(board)!r}"]
    else:
        first = [repr(DEFAULT_PRESET if base is None else os.fspath(base))]
    return ", ".join([*first, *(f"{name}={value!r}" for name, value in parameters.items())])
