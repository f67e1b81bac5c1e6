"""plan: all files of a board's build, and the commands that make its bitstream, before any tool runs."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from ..hw.verilog import TECHMAPS, TOP, to_verilog
from ..sw.toolchain.place_and_route import PLACEMENT
from ..sw.toolchain.synthesis import TARGETS
from .board import Board
from .litedram import LITEDRAM, sdram_controller
from .top import BoardTop

__all__ = ["CORE_PARAMETERS", "NAME", "BoardPlan", "bitstream_name", "plan_board"]

NAME = "narrows_board"
"""Name of the top module and of the files of a build."""

CORE_PARAMETERS = f"{TOP}.json"
"""File of a build with the parameters of its core."""

_USB_DEVICE = f"{TOP}.host.usb.device.device"
"""Module of LUNA's device. Like an SDRAM's controller it is synthesised apart from the core: Yosys saves cells on every
path that is shorter than the longest one, and these have paths of ten and more look-up tables."""

_SYNTHESIS = {"ecp5": "-nodsp", "ice40": "", "gowin": ""}
_BITSTREAMS = {"ecp5": f"{NAME}.bit", "ice40": f"{NAME}.bin", "gowin": f"{NAME}.fs", "xilinx": f"{NAME}.bit"}


def bitstream_name(board: Board) -> str:
    """File that a board's build ends with."""
    return _BITSTREAMS[board.family]


@dataclass(frozen=True, kw_only=True)
class BoardPlan:
    """Files of a build by name, and commands in their order: synthesis, placement with routing, packing, which writes
    ``bitstream``; one alone where a vendor's tools do all that."""

    files: dict[str, str | bytes]
    commands: tuple[tuple[str, ...], ...]
    bitstream: str

    def place_and_route(self, seed: int) -> tuple[str, ...]:
        """The second command, with another seed."""
        command = self.commands[1]
        at = command.index("--seed") + 1
        return (*command[:at], str(seed), *command[at + 1 :])

    def extract(self, folder: Path) -> None:
        """Write the files to a folder, which is made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def plan_board(board: Board, *, seed: int = 1) -> BoardPlan:
    """Plan of a board's build; no tool is needed for it.

    Parameters
    ----------
    board : Board
    seed : int
        Of the placement.
    """
    platform = board.platform()
    maps = TECHMAPS.get(board.family, "")
    after_read = ""
    if maps and not board.vendor_only:
        platform.add_file("narrows_maps.vh", maps)
        after_read = f"techmap -map narrows_maps.vh\ntechmap -map {TARGETS[board.family].multipliers}"
    platform.add_file(f"{TOP}.sv", to_verilog(board.config))
    apart = [_USB_DEVICE] if board.config.host == "usb" else []
    if (controller := sdram_controller(board)) is not None:
        platform.add_file(f"{LITEDRAM}.v", controller)
        apart.append(LITEDRAM)
    options = {}
    if not board.vendor_only:
        chosen = (*PLACEMENT[board.family], *(("--placer", board.placer) if board.family == "ecp5" else ()))
        options = {
            "nextpnr_opts": f"--seed {seed} --freq {board.clock_mhz} --report {NAME}.report.json --timing-allow-fail"
            + "".join(f" {option}" for option in chosen),
            "synth_opts": _SYNTHESIS[board.family],
            "script_after_read": "\n".join(
                [after_read, *(f"setattr -mod -set keep_hierarchy 1 {name}" for name in apart)]
            ),
        }
        if apart:
            options["script_after_synth"] = "setattr -mod -unset keep_hierarchy *\nflatten\nclean"
        if board.alone and board.boot_flash is not None and board.boot_flash.pack:
            options["ecppack_opts"] = board.boot_flash.pack
    # platforms ask for their programmer when they plan, but only flashing needs it
    with mock.patch.dict(os.environ, {"OPENFPGALOADER": os.environ.get("OPENFPGALOADER", "openFPGALoader")}):
        plan = platform.prepare(BoardTop(board), NAME, **options)
    files = dict(plan.files) | {CORE_PARAMETERS: json.dumps(board.config.to_dict(), indent=1)}
    commands = json.loads(files.get(f"build_{NAME}.json", '{"commands": []}'))["commands"]
    return BoardPlan(
        files=files,
        commands=tuple(_command(command) for command in commands if command[0] != "dfu-suffix"),
        bitstream=bitstream_name(board),
    )


def _command(command: list[str]) -> tuple[str, ...]:
    """A command of the platform's plan. Gowin's parts are placed by nextpnr's common flow, which platforms do not know:
    it takes family and constraints in options of its own."""
    if command[0] != "nextpnr-gowin":
        return tuple(command)
    arguments = ["nextpnr-himbaechel-gowin", *command[1:]]
    for option, key in (("--family", "family"), ("--cst", "cst")):
        at = arguments.index(option)
        arguments[at : at + 2] = ["--vopt", f"{key}={arguments[at + 1]}"]
    return tuple(arguments)
