// The host's end of a UART, 8N1: bytes of a serial port at the pins `rx` and `tx` of the bench.
#pragma once

#include <cstdint>
#include <deque>

#include "troubles.h"

class Host {
  public:
    static constexpr bool kBytesWait = false;
    std::deque<uint8_t> out;  // to the host

    explicit Host(unsigned divisor) : divisor(divisor) {}

    bool busy() const { return send_left || !bytes.empty(); }

    void take(uint8_t byte, Troubles &troubles) {
        if (!troubles.lost()) bytes.push_back(byte);
    }

    // Before a clock edge.
    template <class Bench>
    void drive(Bench &bench, Troubles &troubles) {
        if (send_wait) {
            send_wait--;
        } else if (send_left) {
            line = bits & 1;
            bits >>= 1;
            send_left--;
            send_wait = divisor - 1;
        } else if (!bytes.empty()) {
            line = false;
            bits = 0x100u | bytes.front();  // and the stop bit
            bytes.pop_front();
            send_left = 9;
            send_wait = divisor - 1;
        }
        bench.rx = line != troubles.turned();
    }

    // Behind it: what the board sends is sampled in the middle of each bit.
    template <class Bench>
    void listen(Bench &bench, Troubles &troubles) {
        const bool now = bench.tx;
        if (!left) {
            if (was && !now) left = 10, wait = divisor / 2;
        } else if (!wait) {
            wait = divisor - 1;
            if (left > 1) byte = byte >> 1 | (now ? 0x80 : 0);
            else if (now && !troubles.lost()) out.push_back(byte);
            left--;
        } else {
            wait--;
        }
        was = now;
    }

  private:
    unsigned divisor;
    std::deque<uint8_t> bytes;
    unsigned send_wait = 0, send_left = 0, bits = 0;
    bool line = true;
    unsigned wait = 0, left = 0, byte = 0;
    bool was = true;
};
