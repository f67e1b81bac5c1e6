// A USB host at the pins D+ and D- of the bench: it finds the device, gives it an address, chooses its configuration, and then
// plays the operating system's serial port: bytes from the pseudo-terminal go to the bulk endpoint in packets of 64, and the
// device is asked for bytes all the time. Packets harmed or lost are sent again, as USB has it. What `troubles` loses are
// packets, either way. Behind a transaction without an answer it rests: only while nobody drives the line does it see that the
// device is gone, with which it then begins anew. A frame is kFrameBits instead of 12,000 bits, so that a core's gap passes in
// time.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "troubles.h"
#include "usb_wire.h"

class Host {
  public:
    static constexpr bool kBytesWait = true;
    std::deque<uint8_t> out;  // to the pseudo-terminal

    explicit Host(unsigned bit) : bit(bit), sender(bit), receiver(bit) {}

    bool busy() const { return bytes.size() >= kMostBytes; }
    void take(uint8_t byte, Troubles &) { bytes.push_back(byte); }

    // Before a clock edge.
    template <class Bench>
    void drive(Bench &bench, Troubles &troubles) {
        const bool turned = troubles.turned();
        bench.drive = sender.busy();
        if (!sender.busy()) return;
        bench.host_p = sender.level() == Line::kJ;
        bench.host_n = sender.level() == Line::kK;
        if (turned && sender.level() != Line::kSe0) bench.host_p = !bench.host_p, bench.host_n = !bench.host_n;
        sender.step();
    }

    // Behind it.
    template <class Bench>
    void listen(Bench &bench, Troubles &troubles) {
        frame_left -= frame_left > 0;
        if (bench.drive) {
            receiver.start();
            absent = 0;
            return;
        }
        const Line line = bench.line_p ? Line::kJ : bench.line_n ? Line::kK : Line::kSe0;
        absent = line == Line::kSe0 ? absent + 1 : 0;
        if (absent > kGoneBits * bit) {
            forget();
            return;
        }
        const bool ended = receiver.step(line);
        switch (state) {
            case State::kDetached:
                if (++waited < kSettleBits * bit) return;
                sender.hold(Line::kSe0, kResetBits);
                sender.hold(Line::kJ, kSettleBits);
                state = State::kIdle;
                return;
            case State::kIdle:
                if (++waited >= (heard ? kBetweenBits : kRestBits) * bit) begin(troubles);
                return;
            case State::kData:
                if (++waited < kBetweenBits * bit) return;
                send(data_packet(), troubles);
                wait_for_answer();
                return;
            case State::kThanks:
                if (++waited < kBetweenBits * bit) return;
                send({ACK}, troubles);
                state = State::kIdle;
                waited = 0;
                return;
            case State::kAnswer:
                if (!ended && (receiver.hears() || receiver.silent_bits() < kPatienceBits)) return;
                state = State::kIdle;
                waited = 0;
                if (ended && !troubles.lost()) {
                    heard = true;
                    answered(receiver.packet);
                } else {
                    heard = false;
                    failed();
                }
                return;
        }
    }

  private:
    enum class State { kDetached, kIdle, kData, kAnswer, kThanks };
    enum : uint8_t { OUT = 0xE1, IN = 0x69, SOF = 0xA5, SETUP = 0x2D, DATA0 = 0xC3, DATA1 = 0x4B, ACK = 0xD2, NAK = 0x5A };
    static constexpr uint8_t kOther = DATA0 ^ DATA1;
    static constexpr unsigned kPacket = 64, kEndpoint = 4, kAddress = 5;
    static constexpr unsigned kMostBytes = 1024, kMostTries = 100;
    static constexpr unsigned kGoneBits = 40, kSettleBits = 60, kResetBits = 400, kBetweenBits = 3, kPatienceBits = 18;
    static constexpr unsigned kRestBits = 64, kFrameBits = 600;

    // What goes on between host and device next: a token, and data behind it.
    struct Transaction {
        uint8_t token, endpoint, toggle;
        Packet data;
    };
    // To be carried out once the bus is reset: SET_ADDRESS, SET_CONFIGURATION, SET_LINE_CODING (1 MBaud, 8N1).
    const std::vector<Transaction> kBegin = {
        {SETUP, 0, DATA0, {0x00, 0x05, kAddress, 0, 0, 0, 0, 0}}, {IN, 0, DATA1, {}},
        {SETUP, 0, DATA0, {0x00, 0x09, 1, 0, 0, 0, 0, 0}},        {IN, 0, DATA1, {}},
        {SETUP, 0, DATA0, {0x21, 0x20, 0, 0, 0, 0, 7, 0}},        {OUT, 0, DATA1, {0x40, 0x42, 0x0F, 0, 0, 0, 8}}, {IN, 0, DATA1, {}},
    };
    static constexpr unsigned kAddressed = 2;  // of these, before the device has its address

    unsigned bit;
    Sender sender;
    Receiver receiver;
    State state = State::kDetached;
    Transaction now{};
    std::deque<uint8_t> bytes;
    Packet held;  // of `bytes`, on their way until they have arrived
    unsigned step = 0, tries = 0, waited = 0, absent = 0, frame_left = 0, frame = 0;
    uint8_t in_toggle = DATA0, out_toggle = DATA0;
    bool asked = false, heard = true;

    void forget() {
        state = State::kDetached;
        step = tries = waited = 0;
        bytes.clear();
        held.clear();
        in_toggle = out_toggle = DATA0;
        receiver.start();
    }

    void send(const Packet &packet, Troubles &troubles) {
        if (!troubles.lost()) sender.send(packet);
    }

    void wait_for_answer() {
        receiver.start();
        state = State::kAnswer;
    }

    static Packet token_packet(uint8_t pid, unsigned field) {
        const uint8_t low[] = {static_cast<uint8_t>(field), static_cast<uint8_t>(field >> 8)};
        const unsigned all = field | usb_crc(low, 11, 0x14, 5) << 11;
        return {pid, static_cast<uint8_t>(all), static_cast<uint8_t>(all >> 8)};
    }

    Packet data_packet() const {
        Packet packet = {now.toggle};
        packet.insert(packet.end(), now.data.begin(), now.data.end());
        const uint16_t crc = usb_crc(now.data.data(), 8 * now.data.size(), 0xA001, 16);
        packet.push_back(crc & 0xFF), packet.push_back(crc >> 8);
        return packet;
    }

    // A frame, or the next transaction.
    void begin(Troubles &troubles) {
        waited = 0;
        if (!frame_left) {
            frame_left = kFrameBits * bit;
            sender.send(token_packet(SOF, frame++ & 0x7FF));
            return;
        }
        if (step < kBegin.size()) {
            now = kBegin[step];
        } else if (asked && (!held.empty() || !bytes.empty())) {
            if (held.empty()) {
                const auto end = bytes.begin() + (bytes.size() < kPacket ? bytes.size() : kPacket);
                held.assign(bytes.begin(), end);
                bytes.erase(bytes.begin(), end);
            }
            now = {OUT, kEndpoint, out_toggle, held};
            asked = false;
        } else {
            asked = true;
            if (out.size() >= kMostBytes) return;
            now = {IN, kEndpoint, in_toggle, {}};
        }
        const unsigned address = step < kAddressed ? 0 : kAddress;
        send(token_packet(now.token, address | now.endpoint << 7), troubles);
        if (now.token == IN) wait_for_answer();
        else state = State::kData;
    }

    void answered(const Packet &packet) {
        if (now.token == IN && is_data(packet)) {
            state = State::kThanks;
            if (packet.front() != now.toggle) return;  // sent again, since it was not heard that it had arrived
            if (now.endpoint == kEndpoint) {
                out.insert(out.end(), packet.begin() + 1, packet.end() - 2);
                in_toggle ^= kOther;
            }
        } else if (now.token != IN && packet == Packet{ACK}) {
            if (now.endpoint == kEndpoint) {
                held.clear();
                out_toggle ^= kOther;
            }
        } else {
            failed();
            return;
        }
        tries = 0;
        if (step < kBegin.size()) step++;
    }

    // No answer, a harmed one, or NAK: the same again, but a device that cannot be begun with is reset.
    void failed() {
        if (step < kBegin.size() && ++tries > kMostTries) forget();
    }

    static bool is_data(const Packet &packet) {
        if (packet.size() < 3 || (packet.front() != DATA0 && packet.front() != DATA1)) return false;
        const uint16_t crc = usb_crc(packet.data() + 1, 8 * (packet.size() - 3), 0xA001, 16);
        return packet[packet.size() - 2] == (crc & 0xFF) && packet.back() == crc >> 8;
    }
};
