// A board in simulation: the pins of its link behind a pseudo-terminal (a UART's as they are, SPI's through an adapter that
// speaks serprog, USB's through a host of its own), its power switch and the line's troubles on standard input.
//
//     virtual_board DIVISOR [PLUSARGS]
//
// prints `port PATH`, then a line for each change of the LEDs. Lines that it takes: `reset` (power off and on),
// `noise SHARE` (of clock cycles in which the line to the board is turned over), `drop SHARE` (of bytes lost, either way),
// `cycles` (answered by `cycles N`). It ends with its standard input. What is switched off forgets everything: it is made
// anew, as a bitstream makes it.
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "Vbench.h"
#include "troubles.h"
#include "verilated.h"
#ifdef NARROWS_SPI
#include "spi_host.h"
#elif defined(NARROWS_USB)
#include "usb_host.h"
#else
#include "uart_host.h"
#endif

namespace {

constexpr unsigned kLook = 256;             // cycles between two looks at what the host sent
constexpr unsigned kResetCycles = 64;       // without power
constexpr uint64_t kIdleBits = 8 * 16384;   // of silence, after which simulation need not hurry
constexpr int kIdleMs = 5;                  // then between two looks, unless something comes

struct Board {
    VerilatedContext context;
    std::unique_ptr<Vbench> pins;

    Board(int argc, char **argv) {
        context.commandArgs(argc, argv);
        pins = std::make_unique<Vbench>(&context);
    }
};

int open_terminal() {
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) || unlockpt(master)) return -1;
    // Held open, so that a host may come and go.
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    termios raw;
    if (slave < 0 || tcgetattr(slave, &raw)) return -1;
    cfmakeraw(&raw);
    tcsetattr(slave, TCSANOW, &raw);
    fcntl(master, F_SETFL, O_NONBLOCK);
    printf("port %s\n", ptsname(master));
    return master;
}

}  // namespace

int main(int argc, char **argv) {
    if (argc < 2 || atoi(argv[1]) < 1) return 2;
    const unsigned divisor = atoi(argv[1]);
    setvbuf(stdout, nullptr, _IOLBF, 0);
    const int terminal = open_terminal();
    if (terminal < 0) {
        perror("no pseudo-terminal");
        return 1;
    }
    fcntl(0, F_SETFL, O_NONBLOCK);

    auto board = std::make_unique<Board>(argc, argv);
    Host host(divisor);
    Troubles troubles;
    uint64_t cycles = 0, last_traffic = 0;
    unsigned reset_left = kResetCycles, leds = 0;
    std::string typed;

    for (;; cycles++) {
        if (cycles % kLook == 0) {
            if (cycles - last_traffic > kIdleBits * divisor) {
                pollfd waiting[2] = {{terminal, POLLIN, 0}, {0, POLLIN, 0}};
                poll(waiting, 2, kIdleMs);
            }
            uint8_t buffer[4096];
            if (!host.busy()) {
                ssize_t count = read(terminal, buffer, sizeof buffer);
                for (ssize_t index = 0; index < count; index++) host.take(buffer[index], troubles);
                if (count > 0) last_traffic = cycles;
            }
            ssize_t count = read(0, buffer, sizeof buffer);
            if (count == 0) return 0;
            if (count > 0) typed.append(reinterpret_cast<char *>(buffer), count);
            for (size_t end; (end = typed.find('\n')) != std::string::npos; typed.erase(0, end + 1)) {
                const std::string line = typed.substr(0, end);
                if (line == "reset") {
                    board = std::make_unique<Board>(argc, argv);
                    reset_left = kResetCycles, last_traffic = cycles;
                } else if (line == "cycles") printf("cycles %llu\n", static_cast<unsigned long long>(cycles));
                else if (line.rfind("noise ", 0) == 0) troubles.noise = atof(line.c_str() + 6);
                else if (line.rfind("drop ", 0) == 0) troubles.drop = atof(line.c_str() + 5);
            }
            if (board->pins->leds != leds) printf("leds %x\n", leds = board->pins->leds);
        }
        board->pins->power = reset_left == 0;
        if (reset_left) reset_left--;
        host.drive(*board->pins, troubles);
        board->pins->clk = 1;
        board->pins->eval();
        board->pins->clk = 0;
        board->pins->eval();
        host.listen(*board->pins, troubles);
        for (; !host.out.empty(); host.out.pop_front()) {
            last_traffic = cycles;
            // Where nobody listens the terminal runs full and bytes are lost, as on a board, unless they can wait.
            if (write(terminal, &host.out.front(), 1) != 1 && Host::kBytesWait) break;
        }
    }
}
