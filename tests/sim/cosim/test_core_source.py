"""What a bench knows of a core: from its configuration, or from text whose ports say as much."""

import dataclasses

import pytest
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import PRESETS, AcceleratorConfig
from narrows.sim.cosim.core_source import CoreSource

SMALL = AcceleratorConfig(rows=2, columns=2, lanes=2, rescalers=1, acc_bits=12)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"host": "wishbone"},
        {"host": "bare"},
        {"host": "spi"},
        {"host": "uart", "uart_divisor": 9},
        {"backing": "axi4", "bus_bits": 32},
        {"boot": 1, "flash_divisor": 2},
    ],
)
def test_a_configuration_and_its_verilog_say_the_same(changes):
    verilog = CoreVerilog(dataclasses.replace(SMALL, **changes))
    known, read = CoreSource.of(verilog), CoreSource.of(verilog.text())
    assert (known.host, known.bus_bits, known.line, known.boots) == (read.host, read.bus_bits, read.line, read.boots)
    assert known.text() == read.text()
    if known.host == "uart":
        assert known.uart_divisor == read.uart_divisor == 9


def test_a_kept_core_is_not_written():
    class Kept:
        config, key = PRESETS["demo"], "key"

        def text(self):
            raise AssertionError("written")

    assert CoreSource.of(Kept()).key == "key"
