// Packets of USB at full speed on D+ and D-: synchronisation, NRZI, stuffed bits, end of packet (USB 2.0, 7.1). `kBit` cycles
// of the bench's clock to a bit.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <vector>

enum class Line : uint8_t { kSe0, kK, kJ };

using Packet = std::vector<uint8_t>;

// Sends packets, or any other levels.
class Sender {
  public:
    explicit Sender(unsigned bit) : bit(bit) {}

    bool busy() const { return !levels.empty(); }
    Line level() const { return levels.front(); }
    void hold(Line line, unsigned bits) { levels.insert(levels.end(), bits, line); }

    void send(const Packet &packet) {
        for (const char state : {'K', 'J', 'K', 'J', 'K', 'J', 'K', 'K'}) hold(state == 'K' ? Line::kK : Line::kJ, 1);
        Line now = Line::kK;
        unsigned ones = 1;  // the last one of the synchronisation
        for (const uint8_t byte : packet)
            for (unsigned place = 0; place < 8; place++) {
                const bool one = byte >> place & 1;
                if (!one) now = now == Line::kK ? Line::kJ : Line::kK;
                hold(now, 1);
                ones = one ? ones + 1 : 0;
                if (ones == 6) {
                    now = now == Line::kK ? Line::kJ : Line::kK;
                    hold(now, 1);
                    ones = 0;
                }
            }
        hold(Line::kSe0, 2);
        hold(Line::kJ, 1);
    }

    void step() {
        if (++cycle < bit) return;
        cycle = 0;
        levels.pop_front();
    }

  private:
    unsigned bit, cycle = 0;
    std::deque<Line> levels;
};

// Takes a packet; bits are sampled in their middle, which each edge tells anew.
class Receiver {
  public:
    Packet packet;

    explicit Receiver(unsigned bit) : bit(bit) {}

    void start() {
        packet.clear();
        was = sampled = Line::kJ;
        cycle = silence = zeros = ones = place = byte = 0;
        begun = synchronised = over = false;
    }

    // Whether a packet has begun, and how many bits nothing has come.
    bool hears() const { return begun; }
    unsigned silent_bits() const { return silence / bit; }

    // A cycle of the line; true behind the end of a packet.
    bool step(Line line) {
        if (!begun) {
            silence++;
            if (line != Line::kK) return false;
            begun = true;
        }
        cycle = line == was ? cycle + 1 : 0;
        was = line;
        if (cycle % bit != bit / 2) return false;
        if (line == Line::kSe0) {
            over = true;
            return false;
        }
        if (over) return true;
        take(line == sampled);
        sampled = line;
        return false;
    }

  private:
    unsigned bit, cycle = 0, silence = 0, zeros = 0, ones = 0, place = 0, byte = 0;
    Line was = Line::kJ, sampled = Line::kJ;
    bool begun = false, synchronised = false, over = false;

    void take(bool one) {
        if (!synchronised) {
            synchronised = one && zeros >= 3;
            zeros = one ? 0 : zeros + 1;
            ones = 1;
            return;
        }
        const bool stuffed = ones == 6;
        ones = one ? ones + 1 : 0;
        if (stuffed) return;
        byte |= one << place;
        if (++place == 8) packet.push_back(byte), place = byte = 0;
    }
};

inline uint16_t usb_crc(const uint8_t *bytes, unsigned bits, uint16_t polynomial, unsigned width) {
    const uint16_t ones = (1u << width) - 1;
    uint16_t state = ones;
    for (unsigned place = 0; place < bits; place++) {
        const bool top = (state ^ bytes[place / 8] >> place % 8) & 1;
        state = state >> 1 ^ (top ? polynomial : 0);
    }
    return state ^ ones;
}
