// A bench of clock.v under Verilator: makes its clock, and lets cocotb in only when the bench is `done` or one of cocotb's
// timers has run out. cocotb's own program asks its programming interface several times in each half of a cycle.
//
//     bench [--trace [--trace-file NAME]] [PLUSARGS]
//
// With --trace, what Verilator was told to write (VCD, SAIF) goes to NAME. Times are in picoseconds.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

#include "Vtop.h"
#include "verilated.h"
#include "verilated_vpi.h"
#if VM_TRACE_SAIF
#include "verilated_saif_c.h"
using Trace = VerilatedSaifC;
#elif VM_TRACE
#include "verilated_vcd_c.h"
using Trace = VerilatedVcdC;
#endif

extern "C" void vlog_startup_routines_bootstrap(void);

namespace {

constexpr uint64_t kHalf = 5000;
uint64_t now = 0;

void tell_of_changes() {
    while (VerilatedVpi::callValueCbs()) {
    }
}

// As IEEE 1800 orders a time step: what Python changes is evaluated until it changes nothing more.
void let_python_in(Vtop &top) {
    do {
        do {
            top.eval_step();
            VerilatedVpi::clearEvalNeeded();
            VerilatedVpi::doInertialPuts();
            tell_of_changes();
        } while (VerilatedVpi::evalNeeded());
        VerilatedVpi::callCbs(cbReadWriteSynch);
        VerilatedVpi::doInertialPuts();
        tell_of_changes();
    } while (VerilatedVpi::evalNeeded());
    top.eval_end_step();
    VerilatedVpi::callCbs(cbReadOnlySynch);
}

}  // namespace

double sc_time_stamp() { return static_cast<double>(now); }

int main(int argc, char **argv) {
    const char *trace_file = "dump.vcd";
    bool traces = false;
    for (int index = 1; index < argc; ++index) {
        if (!std::strcmp(argv[index], "--trace")) traces = true;
        if (!std::strcmp(argv[index], "--trace-file") && index + 1 < argc) trace_file = argv[++index];
    }
    Verilated::commandArgs(argc, argv);
    Verilated::fatalOnVpiError(false);
    Verilated::traceEverOn(traces);
    const auto top = std::make_unique<Vtop>("");
#if VM_TRACE
    Trace trace;
    if (traces) {
        top->trace(&trace, 99);
        trace.open(trace_file);
    }
#endif
    vlog_startup_routines_bootstrap();
    Verilated::addExitCb([](void *) { VerilatedVpi::callCbs(cbEndOfSimulation); }, nullptr);  // of a fatal error
    VerilatedVpi::callCbs(cbStartOfSimulation);
    tell_of_changes();
    let_python_in(*top);

    auto done = top->done;
    uint64_t edge = now + kHalf;
    bool was_in = true;  // Python was in the last time step
    while (!Verilated::gotFinish()) {
#if VM_TRACE
        if (traces) trace.dump(now);
#endif
        const uint64_t timer = VerilatedVpi::cbNextDeadline();
        now = std::min(edge, timer);
        was_in = was_in && VerilatedVpi::callCbs(cbNextSimTime);
        if (now == timer) {
            VerilatedVpi::callTimedCbs();
            was_in = true;
        }
        if (was_in) tell_of_changes();
        if (now == edge) {
            top->clk = !top->clk;
            edge += kHalf;
        }
        top->eval();
        was_in |= top->done != done;
        done = top->done;
        if (was_in) let_python_in(*top);
    }

    top->final();
    VerilatedVpi::callCbs(cbEndOfSimulation);
#if VM_TRACE
    if (traces) trace.close();
#endif
    return Verilated::threadContextp()->errorCount() > 0;
}
