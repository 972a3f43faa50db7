// Method frames' payloads: found, described, decoded, and encoded again.
#include <string>
#include <type_traits>
#include <vector>

#include "fuzz_target.h"
#include "wire/frame.h"
#include "wire/method_codec.h"
#include "wire/method_declarations.h"
#include "wire/method_table.h"

namespace haigha::fuzz {
namespace {

template <class Method>
bool has_bits() {
    bool found = false;
    auto look = [&]<class Value>(const Value&) { found |= std::is_same_v<Value, bool>; };
    const Method method{};
    wire::each_field(method, look);
    return found;
}

// Writes the method again. Only unused bits of an octet of bits may come and not go.
template <class Method>
void encode_again(const Method& method, Bytes payload) {
    require(wire::method_size(method) == payload.size(), "a method's size is that it came with");
    require(wire::oversized_field(method).empty(), "what was decoded fits to be encoded");
    std::vector<std::byte> out(payload.size());
    require(wire::encode_method(method, out.data()) == out.data() + out.size(),
            "method_size is what encode_method writes");
    for (std::size_t i = 0; i < out.size(); ++i) {
        const bool fewer_bits = has_bits<Method>() && (out[i] & ~payload[i]) == std::byte{0};
        require(out[i] == payload[i] || fewer_bits, "a method is encoded as it came");
    }
    Method back{};
    require(wire::decode_method(Bytes(out).subspan(wire::method_id_size), back),
            "what was encoded can be decoded");
    std::vector<std::byte> twice(out.size());
    wire::encode_method(back, twice.data());
    require(twice == out, "what is encoded twice is the same");

    std::vector<std::byte> frame(wire::method_frame_size(method));
    require(wire::write_method_frame(frame.data(), 9, method) == frame.data() + frame.size(),
            "method_frame_size is what write_method_frame writes");
    const wire::FrameParse parsed = wire::parse_frame(frame, 0);
    require(parsed.status == wire::FrameParse::Status::complete && parsed.size == frame.size() &&
                wire::as_text(parsed.frame.payload) == wire::as_text(out),
            "a method that is written is a frame");
}

template <class Method>
bool decode_as(Bytes payload, const std::string& described) {
    Method method;
    if (!wire::decode_method(payload.subspan(wire::method_id_size), method)) return false;
    encode_again(method, payload);
    require(described.starts_with(Method::name), "a description begins with the method's name");
    if constexpr (requires { Method::secret; }) {
        require(described.find(std::string(Method::secret) + "=<hidden>") != std::string::npos,
                "a description hides the secret");
    }
    return true;
}

template <class... Methods>
bool decode(wire::MethodList<Methods...>, wire::MethodId id, Bytes payload,
            const std::string& described) {
    return ((Methods::id == id && decode_as<Methods>(payload, described)) || ...);
}

void exercise_payload(Bytes payload) {
    std::string text;
    const bool described = wire::describe_payload(payload, text);
    require(!text.empty(), "a description says something");
    const auto id = wire::read_method_id(payload);
    const bool decoded = id && decode(wire::AllMethods{}, *id, payload, text);
    require(decoded == described, "describe_payload knows what decode_method knows");
    require(!decoded || wire::find_method(*id) != nullptr, "find_method knows it too");
}

// The same octets as a frame, as far as they go.
void exercise_frame(Bytes in, std::uint32_t frame_max) {
    const wire::FrameParse parsed = wire::parse_frame(in, frame_max);
    switch (parsed.status) {
        case wire::FrameParse::Status::complete:
            require(parsed.size <= in.size() &&
                        parsed.frame.payload.size() + wire::frame_overhead == parsed.size,
                    "a frame is within what it was read from");
            break;
        case wire::FrameParse::Status::need_more:
            require(parsed.size > in.size(), "more is needed than is there");
            break;
        default:
            require(parsed.frame.payload.empty(), "a bad frame has no payload");
    }
}

}  // namespace
}  // namespace haigha::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const haigha::fuzz::Bytes in = haigha::fuzz::Input(data, size).rest();
    haigha::fuzz::exercise_payload(in);
    for (const std::uint32_t frame_max : {0U, 64U, 4096U})
        haigha::fuzz::exercise_frame(in, frame_max);
    return 0;
}
