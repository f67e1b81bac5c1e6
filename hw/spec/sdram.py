"""SDRAM chips: what their data sheets say of size and times, and the CAS latency for a clock."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AS4C32M16", "PINS_NS", "SdramChip"]

PINS_NS = 5.0
"""From the register of an ECP5's output pin over the board and back to that of an input pin, about: 3.3 ns out with the
clock generator's feedback, 0.7 ns of traces, 1 ns in (Lattice FPGA-DS-02012, external switching characteristics)."""


@dataclass(frozen=True, kw_only=True)
class SdramChip:
    """A single-data-rate SDRAM chip of four banks (JEDEC JESD21-C, section 3.11.5), of the slowest grade that a board
    may have.

    Parameters
    ----------
    name : str
    width : int
        Data pins.
    rows, columns : int
        Of a bank.
    rcd, rp, ras, rc, rfc, wr, rrd : float
        Shortest times in ns: ACTIVE to READ or WRITE, PRECHARGE to ACTIVE, ACTIVE to PRECHARGE, ACTIVE to ACTIVE of a
        bank, REFRESH to whatever follows, last datum written to PRECHARGE, ACTIVE to ACTIVE of two banks.
    refresh : float
        Longest time in ns from one REFRESH to the next, on average.
    power_up : float
        Time in ns that the clock runs before the first command.
    cas_2_mhz, cas_3_mhz : float
        Fastest clocks with a CAS latency of 2 and 3.
    access_2, access_3 : float
        Time in ns from a clock edge to a datum, with either CAS latency.
    hold : float
        Time in ns that a datum stays behind the next edge.
    """

    name: str
    width: int
    rows: int
    columns: int
    rcd: float
    rp: float
    ras: float
    rc: float
    rfc: float
    wr: float
    rrd: float
    refresh: float
    power_up: float
    cas_2_mhz: float
    cas_3_mhz: float
    access_2: float
    access_3: float
    hold: float

    @property
    def bytes(self) -> int:
        """Size of the chip."""
        return 4 * self.rows * self.columns * self.width // 8

    def cas_latency(self, clock_mhz: float) -> int:
        """Cycles from READ to its datum."""
        return 2 if clock_mhz <= self.cas_2_mhz else 3

    def spare_ns(self, clock_mhz: float) -> float:
        """How much longer than the FPGA's pin register looks a datum is on its way in or stays, whichever is less,
        where the chip's clock is half a period late and the datum is taken ``cas_latency`` + 1 periods after READ left
        the FPGA."""
        period, latency = 1e3 / clock_mhz, self.cas_latency(clock_mhz)
        sent = PINS_NS + period / 2 + (latency - 1) * period
        looked = (latency + 1) * period
        access = self.access_2 if latency == 2 else self.access_3
        return min(looked - (sent + access), sent + period + self.hold - looked)


AS4C32M16 = SdramChip(
    name="AS4C32M16",
    width=16,
    rows=8192,
    columns=1024,
    rcd=21,
    rp=21,
    ras=42,
    rc=63,
    rfc=63,
    wr=14,
    rrd=14,
    refresh=7_800,
    power_up=200_000,
    cas_2_mhz=100,
    cas_3_mhz=143,
    access_2=6,
    access_3=5.4,
    hold=2.5,
)
"""Alliance AS4C32M16SB, 64 MB, speed grade 7 (data sheet, revision 1.0, table 16)."""
