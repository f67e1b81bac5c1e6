"""The key of a core's Verilog changes with all that it depends on, and needs no Verilog."""

import dataclasses
import subprocess
import sys

import pytest
from narrows.hw import core_verilog
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import PRESETS


@pytest.fixture(autouse=True)
def fresh():
    core_verilog._sources_digest.cache_clear()
    yield
    core_verilog._sources_digest.cache_clear()


def test_equal_configurations_have_one_key():
    demo = PRESETS["demo"]
    assert CoreVerilog(demo).key == CoreVerilog(dataclasses.replace(demo)).key


@pytest.mark.parametrize("changes", [{"acc_bits": 17}, {"host": "uart"}, {"uart_divisor": 9}, {"fabric": "ice40"}])
def test_any_parameter_changes_it(changes):
    demo = PRESETS["demo"]
    assert CoreVerilog(demo).key != CoreVerilog(dataclasses.replace(demo, **changes)).key


def test_a_source_changes_it(tmp_path, monkeypatch):
    before = CoreVerilog(PRESETS["demo"]).key
    monkeypatch.setattr(core_verilog, "__file__", str(tmp_path / "core_verilog.py"))
    keys = {before}
    for name, text in (("core.py", "x = 1"), ("core.py", "x = 2"), ("room/core.py", "x = 2")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
        core_verilog._sources_digest.cache_clear()
        keys.add(CoreVerilog(PRESETS["demo"]).key)
    assert len(keys) == 4


@pytest.mark.parametrize("name", ["AMARANTH_USE_YOSYS", "YOSYS"])
def test_the_choice_of_yosys_changes_it(name, monkeypatch):
    before = CoreVerilog(PRESETS["demo"]).key
    monkeypatch.setenv(name, "system")
    assert CoreVerilog(PRESETS["demo"]).key != before


@pytest.mark.parametrize("name", ["luna-usb", "usb-protocol"])
def test_the_parts_of_a_usb_port_change_it(name, monkeypatch):
    usb = dataclasses.replace(PRESETS["demo"], host="usb")
    versions = {"luna-usb": "1", "usb-protocol": "1"}
    monkeypatch.setattr(core_verilog.importlib.metadata, "version", lambda each: versions.get(each, "0"))
    before = CoreVerilog(usb).key
    versions[name] = "2"
    assert CoreVerilog(usb).key != before


def test_the_key_needs_no_hardware_library():
    """What only looks for a build must not wait for one to be imported."""
    script = (
        "import sys\nfrom narrows.hw.core_verilog import CoreVerilog\nfrom narrows.hw.spec.config import PRESETS\n"
        "CoreVerilog(PRESETS['demo']).key\nassert 'amaranth' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
