// The methods of class channel: open, flow and close.
#pragma once

#include <cstdint>
#include <string_view>
#include <tuple>

#include "wire/cursor.h"
#include "wire/method_id.h"

namespace haigha::wire::channel {

struct Open {
    ShortString reserved_1{};

    static constexpr MethodId id{20, 10};
    static constexpr std::string_view name = "channel.open";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{20, 11}}};
    static constexpr auto fields = std::tuple{&Open::reserved_1};
};

// Its reserved field is a long string, unlike that of connection.open-ok.
struct OpenOk {
    LongString reserved_1{};

    static constexpr MethodId id{20, 11};
    static constexpr std::string_view name = "channel.open-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{&OpenOk::reserved_1};
};

struct Flow {
    bool active = false;

    static constexpr MethodId id{20, 20};
    static constexpr std::string_view name = "channel.flow";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{20, 21}}};
    static constexpr auto fields = std::tuple{&Flow::active};
};

struct FlowOk {
    bool active = false;

    static constexpr MethodId id{20, 21};
    static constexpr std::string_view name = "channel.flow-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{&FlowOk::active};
};

struct Close {
    std::uint16_t reply_code = 0;
    ShortString reply_text{};
    std::uint16_t class_id = 0;
    std::uint16_t method_id = 0;

    static constexpr MethodId id{20, 40};
    static constexpr std::string_view name = "channel.close";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{20, 41}}};
    static constexpr auto fields =
        std::tuple{&Close::reply_code, &Close::reply_text, &Close::class_id, &Close::method_id};
};

struct CloseOk {
    static constexpr MethodId id{20, 41};
    static constexpr std::string_view name = "channel.close-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{};
};

}  // namespace haigha::wire::channel
