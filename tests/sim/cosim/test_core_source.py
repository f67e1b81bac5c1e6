"""What a bench knows of a core: its configuration, and a key that needs no Verilog."""

import dataclasses

import pytest
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.cosim.core_source import GivenVerilog, WrittenOnDemand, line_of

SMALL = AcceleratorConfig(rows=2, columns=2, lanes=2, rescalers=1, acc_bits=12)


@pytest.mark.parametrize(
    ("host", "line"), [("axi", "bus"), ("wishbone", "bus"), ("bare", "bus"), ("spi", "spi"), ("uart", "uart")]
)
def test_hosts_reach_a_core_over_a_line_or_a_bus(host, line):
    assert line_of(dataclasses.replace(SMALL, host=host)) == line


def test_given_verilog_is_known_by_itself_and_written_cores_are_not():
    given: WrittenOnDemand = GivenVerilog(SMALL, "module narrows_core; endmodule")
    assert (given.config, given.key, given.text()) == (SMALL, given.text(), "module narrows_core; endmodule")
    written: WrittenOnDemand = CoreVerilog(SMALL)
    assert written.config == SMALL and len(written.key) == 64
