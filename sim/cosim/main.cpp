// Runs a bench of clock.v under Verilator: makes its clock until the bench finishes.
//
//     bench [--trace [--trace-file NAME]] [PLUSARGS]
//
// With --trace, what Verilator was told to write (VCD, SAIF) goes to NAME. Times are in picoseconds.
#include <cstdint>
#include <cstring>
#include <memory>

#include "Vtop.h"
#include "verilated.h"
#if VM_TRACE_SAIF
#include "verilated_saif_c.h"
using Trace = VerilatedSaifC;
#elif VM_TRACE
#include "verilated_vcd_c.h"
using Trace = VerilatedVcdC;
#endif

namespace {
constexpr uint64_t kHalf = 5000;
}

int main(int argc, char **argv) {
    const char *trace_file = "dump.vcd";
    bool traces = false;
    for (int index = 1; index < argc; ++index) {
        if (!std::strcmp(argv[index], "--trace")) traces = true;
        if (!std::strcmp(argv[index], "--trace-file") && index + 1 < argc) trace_file = argv[++index];
    }
    const auto context = std::make_unique<VerilatedContext>();
    context->commandArgs(argc, argv);
    context->traceEverOn(traces);
    const auto top = std::make_unique<Vtop>(context.get(), "");
#if VM_TRACE
    Trace trace;
    if (traces) {
        top->trace(&trace, 99);
        trace.open(trace_file);
    }
#endif
    top->eval();
    while (!context->gotFinish()) {
#if VM_TRACE
        if (traces) trace.dump(context->time());
#endif
        context->timeInc(kHalf);
        top->clk = !top->clk;
        top->eval();
    }
    top->final();
#if VM_TRACE
    if (traces) trace.close();
#endif
    return context->errorCount() > 0;
}
