// An SPI adapter at the pins `cs_n`, `sck`, `copi` and `cipo` of the bench, mode 0. To its host it speaks the protocol of
// flashrom's programmer serprog, as far as a bus with one device needs it. What `troubles` loses are pulses of `sck`, the
// last one of a byte.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>

#include "troubles.h"

class Host {
  public:
    static constexpr bool kBytesWait = false;
    std::deque<uint8_t> out;  // to the host

    explicit Host(unsigned divisor) : half((divisor + 1) / 2) {}

    bool busy() const { return selected; }

    void take(uint8_t byte, Troubles &troubles) {
        if (to_send) {
            bytes.push_back(byte);
            if (!--to_send) select(troubles);
            return;
        }
        command.push_back(byte);
        if (command.size() < 1 + parameters()) return;
        carry_out(troubles);
        command.clear();
    }

    // Before a clock edge.
    template <class Bench>
    void drive(Bench &bench, Troubles &troubles) {
        bench.cs_n = !selected;
        bench.copi = copi != troubles.turned();
        bench.sck = sck && !lost;
    }

    // Behind it.
    template <class Bench>
    void listen(Bench &bench, Troubles &troubles) {
        if (!selected || --wait) return;
        wait = half;
        if (sck) {
            sck = false;
            if (--bit == 0) begin_byte(troubles);
            else copi = byte >> (bit - 1) & 1;
        } else if (bit == 0) {
            selected = false;
        } else {
            sck = true;
            lost = bit == 1 && harmed;
            received = received << 1 | bench.cipo;
            if (bit == 1 && sent_all) out.push_back(received), to_receive--;
        }
    }

  private:
    enum : uint8_t { ACK = 0x06, NAK = 0x15 };
    enum : uint8_t { NOP = 0x00, VERSION = 0x01, MAP = 0x02, BUSES = 0x05, SYNCNOP = 0x10, BUS = 0x12, TRANSFER = 0x13, FREQUENCY = 0x14 };
    static constexpr uint8_t kCommands[] = {NOP, VERSION, MAP, BUSES, SYNCNOP, BUS, TRANSFER, FREQUENCY};
    static constexpr uint8_t kSpi = 8;

    unsigned half;
    std::deque<uint8_t> command, bytes;
    uint32_t to_send = 0, to_receive = 0;
    bool selected = false, sck = false, copi = false, lost = false, harmed = false, sent_all = false;
    unsigned wait = 0, bit = 0, byte = 0;
    uint8_t received = 0;

    unsigned parameters() const {
        switch (command.front()) {
            case BUS: return 1;
            case TRANSFER: return 6;
            case FREQUENCY: return 4;
            default: return 0;
        }
    }

    void carry_out(Troubles &troubles) {
        const uint8_t code = command.front();
        if (code == SYNCNOP) out.push_back(NAK);
        if (!memchr(kCommands, code, sizeof kCommands) || (code == BUS && command[1] != kSpi)) {
            out.push_back(NAK);
            return;
        }
        out.push_back(ACK);
        if (code == VERSION) out.insert(out.end(), {1, 0});
        if (code == BUSES) out.push_back(kSpi);
        if (code == FREQUENCY) out.insert(out.end(), command.begin() + 1, command.end());
        if (code == MAP) {
            uint8_t map[32] = {};
            for (const uint8_t known : kCommands) map[known / 8] |= 1 << known % 8;
            out.insert(out.end(), map, map + sizeof map);
        }
        if (code == TRANSFER) {
            to_send = command[1] | command[2] << 8 | command[3] << 16;
            to_receive = command[4] | command[5] << 8 | command[6] << 16;
            if (!to_send) select(troubles);
        }
    }

    void select(Troubles &troubles) {
        selected = true;
        sent_all = false;
        wait = half;
        begin_byte(troubles);
    }

    // The next byte's first bit, or no more of them. What is sent while bytes come in is what was sent last.
    void begin_byte(Troubles &troubles) {
        harmed = troubles.lost();
        sent_all = bytes.empty();
        if (sent_all && !to_receive) return;
        bit = 8;
        if (sent_all) {
            byte = copi ? 0xff : 0;
            return;
        }
        byte = bytes.front();
        bytes.pop_front();
        copi = byte >> 7;
    }
};
