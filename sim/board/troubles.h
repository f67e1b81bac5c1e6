// What may go wrong between a host and a board, at random.
#pragma once

#include <cstdint>

struct Troubles {
    double noise = 0;  // share of clock cycles in which the line to the board is turned over
    double drop = 0;   // share of bytes that are lost or harmed on their way

    bool turned() { return chance(noise); }
    bool lost() { return chance(drop); }

  private:
    uint64_t state = 0x2545f4914f6cdd1d;
    bool chance(double share) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return share > 0 && (state >> 11) * 0x1p-53 < share;
    }
};
