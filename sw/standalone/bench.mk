# Proof of a narrows core without Python: make icarus, or make verilator (5 or newer). Each ends with a line PASS or FAIL, and with
# an error after the latter.
IVERILOG ?= iverilog
VVP ?= vvp
VERILATOR ?= verilator

.PHONY: all icarus verilator clean

all: icarus

icarus: bench.vvp vectors.hex
	$(VVP) $< | tee icarus.log
	grep -q '^PASS' icarus.log

verilator: obj_dir/Vbench vectors.hex
	./obj_dir/Vbench | tee verilator.log
	grep -q '^PASS' verilator.log

bench.vvp: core.v bench.v
	$(IVERILOG) -g2005 -s bench -o $@ core.v bench.v

obj_dir/Vbench: core.v bench.v
	$(VERILATOR) --cc --exe --main --timing -O3 -Wno-fatal -Wno-lint -CFLAGS -std=c++20 --top-module bench core.v bench.v
	$(MAKE) -C obj_dir -f Vbench.mk

clean:
	rm -rf obj_dir bench.vvp icarus.log verilator.log
