"""NetlistPlatform: tells components that they are elaborated into Verilog, where modules of their own may stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from amaranth.hdl import Instance, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

__all__ = ["LookupTable", "NetlistPlatform", "SharedModule"]


@dataclass(frozen=True)
class LookupTable:
    """What a combinational component does, as a table: a simulator looks it up at once where the component's own logic
    takes it a hundred steps.

    Parameters
    ----------
    inputs : mapping of str to int
        Ports of the component with the bits of each that the table depends on, from bit 0 on; the first lie lowest in
        the table's index.
    outputs : mapping of str to sequence of int
        Value of each output for each index.
    inverted : mapping of str to str
        Outputs all of whose bits a port of one bit inverts.
    """

    inputs: Mapping[str, int]
    outputs: Mapping[str, tuple[int, ...]]
    inverted: Mapping[str, str]

    def verilog(self, name: str, ports: Mapping[str, tuple[bool, int]]) -> str:
        """Module of this table.

        Parameters
        ----------
        name : str
        ports : mapping
            Whether each port is an input, and its bits.
        """
        declared = [
            f"{'input' if goes_in else 'output'} [{bits - 1}:0] {port}" for port, (goes_in, bits) in ports.items()
        ]
        index = ", ".join(f"{port}[{bits - 1}:0]" for port, bits in reversed(self.inputs.items()))
        lines = [f"module {name} ({', '.join(declared)});"]
        for port, values in self.outputs.items():
            bits, numbers, found = ports[port][1], ", ".join(map(str, values)), str(values[0])
            if len(set(values)) > 1:
                lines.append(f"    localparam [{bits - 1}:0] {port}_of [0:{len(values) - 1}] = '{{{numbers}}};")
                found = f"{port}_of[{{{index}}}]"
            flip = f" ^ {{{bits}{{{self.inverted[port]}}}}}" if port in self.inverted else ""
            lines.append(f"    assign {port} = {found}{flip};")
        return "\n".join([*lines, "endmodule\n"])


@dataclass(frozen=True)
class SharedModule:
    """A component whose module is written once, whatever the number of its instances."""

    component: wiring.Component
    table: LookupTable

    @property
    def ports(self) -> dict[str, tuple[bool, int]]:
        """Whether each port is an input, and its bits."""
        members = self.component.signature.members
        return {
            name: (member.flow is In, len(Value.cast(getattr(self.component, name))))
            for name, member in members.items()
        }


class NetlistPlatform:
    """Platform of generated Verilog: components may instantiate modules that `hw.verilog` defines.

    Parameters
    ----------
    writes : str
        The shared module that is being written.
    """

    def __init__(self, writes: str = "") -> None:
        self._writes = writes
        self.shared: dict[str, SharedModule] = {}
        """Shared modules that were instantiated, by name."""

    def instance(self, component: wiring.Component, name: str, table: LookupTable) -> Module | None:
        """What a component that is combinational elaborates to: an instance of the module that it shares with all of
        its like; None where that module is written.

        Parameters
        ----------
        component : wiring.Component
            Its ports are values, no interfaces.
        name : str
            Of the module; components of one name do the same.
        table : LookupTable
            What it does.
        """
        if name == self._writes:
            return None
        shared = self.shared.setdefault(name, SharedModule(component, table))
        m = Module()
        ports = {
            f"{'i' if goes_in else 'o'}_{port}": Value.cast(getattr(component, port))
            for port, (goes_in, _) in shared.ports.items()
        }
        m.submodules.shared = Instance(name, **ports)
        return m
