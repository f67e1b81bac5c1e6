// A board in simulation: its UART's pins behind a pseudo-terminal, its power switch and the line's troubles on standard input.
//
//     virtual_board DIVISOR
//
// prints `port PATH`, then a line for each change of the LEDs. Lines that it takes: `reset` (power off and on),
// `noise SHARE` (of clock cycles in which the line to the board is turned over), `drop SHARE` (of bytes lost, either way),
// `cycles` (answered by `cycles N`). It ends with its standard input.
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <deque>
#include <string>

#include "Vbench.h"
#include "verilated.h"

namespace {

constexpr unsigned kLook = 256;             // cycles between two looks at what the host sent
constexpr unsigned kResetCycles = 64;       // without power
constexpr uint64_t kIdleBits = 8 * 16384;   // of silence, after which simulation need not hurry

struct Random {
    uint64_t state = 0x2545f4914f6cdd1d;
    bool chance(double share) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return share > 0 && (state >> 11) * 0x1p-53 < share;
    }
};

// What the board sends, sampled in the middle of each bit.
struct Receiver {
    unsigned divisor, wait = 0, left = 0, byte = 0;
    bool was = true;
    // A byte, or -1.
    int step(bool line) {
        int result = -1;
        if (!left) {
            if (was && !line) left = 10, wait = divisor / 2;
        } else if (!wait) {
            wait = divisor - 1;
            if (left == 1) result = line ? static_cast<int>(byte) : -1;
            else byte = byte >> 1 | (line ? 0x80 : 0);
            left--;
        } else {
            wait--;
        }
        was = line;
        return result;
    }
};

// What the host sends.
struct Transmitter {
    unsigned divisor, wait = 0, left = 0, bits = 0;
    std::deque<uint8_t> bytes;
    bool line = true;
    bool busy() const { return left || !bytes.empty(); }
    bool step() {
        if (wait) {
            wait--;
        } else if (left) {
            line = bits & 1;
            bits >>= 1;
            left--;
            wait = divisor - 1;
        } else if (!bytes.empty()) {
            line = false;
            bits = 0x100u | bytes.front();  // and the stop bit
            bytes.pop_front();
            left = 9;
            wait = divisor - 1;
        }
        return line;
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
    if (argc != 2 || atoi(argv[1]) < 1) return 2;
    const unsigned divisor = atoi(argv[1]);
    setvbuf(stdout, nullptr, _IOLBF, 0);
    const int terminal = open_terminal();
    if (terminal < 0) {
        perror("no pseudo-terminal");
        return 1;
    }
    fcntl(0, F_SETFL, O_NONBLOCK);

    VerilatedContext context;
    Vbench top(&context);
    Receiver receiver{divisor};
    Transmitter transmitter{divisor};
    Random dice;
    double noise = 0, drop = 0;
    uint64_t cycles = 0, last_traffic = 0;
    unsigned reset_left = kResetCycles, leds = 0;
    std::string typed;

    for (;; cycles++) {
        if (cycles % kLook == 0) {
            if (cycles - last_traffic > kIdleBits * divisor) {
                pollfd waiting[2] = {{terminal, POLLIN, 0}, {0, POLLIN, 0}};
                poll(waiting, 2, 1);
            }
            uint8_t buffer[4096];
            if (!transmitter.busy()) {
                ssize_t count = read(terminal, buffer, sizeof buffer);
                for (ssize_t index = 0; index < count; index++)
                    if (!dice.chance(drop)) transmitter.bytes.push_back(buffer[index]);
                if (count > 0) last_traffic = cycles;
            }
            ssize_t count = read(0, buffer, sizeof buffer);
            if (count == 0) return 0;
            if (count > 0) typed.append(reinterpret_cast<char *>(buffer), count);
            for (size_t end; (end = typed.find('\n')) != std::string::npos; typed.erase(0, end + 1)) {
                const std::string line = typed.substr(0, end);
                if (line == "reset") reset_left = kResetCycles;
                else if (line == "cycles") printf("cycles %llu\n", static_cast<unsigned long long>(cycles));
                else if (line.rfind("noise ", 0) == 0) noise = atof(line.c_str() + 6);
                else if (line.rfind("drop ", 0) == 0) drop = atof(line.c_str() + 5);
            }
            if (top.leds != leds) printf("leds %x\n", leds = top.leds);
        }
        top.power = reset_left == 0;
        if (reset_left) reset_left--;
        top.rx = transmitter.step() != dice.chance(noise);
        top.clk = 1;
        top.eval();
        top.clk = 0;
        top.eval();
        const int byte = receiver.step(top.tx);
        if (byte >= 0) {
            last_traffic = cycles;
            const uint8_t sent = byte;
            // Where nobody listens the terminal runs full and bytes are lost, as on a board.
            [[maybe_unused]] const ssize_t kept = dice.chance(drop) ? 0 : write(terminal, &sent, 1);
        }
    }
}
