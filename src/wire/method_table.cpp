// Builds the table of methods from the list of their declarations.
#include "wire/method_table.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "wire/method_codec.h"
#include "wire/method_declarations.h"

namespace haigha::wire {
namespace {

using Describe = bool (*)(Bytes arguments, std::string& out);

template <class Method>
bool describe_as(Bytes arguments, std::string& out) {
    Method method;
    if (!decode_method(arguments, method)) return false;
    describe_method(method, out);
    return true;
}

template <class Method>
constexpr MethodInfo info_of() {
    static_assert(Method::synchronous == (Method::replies[0] != MethodId{}));
    return {Method::id, Method::name, Method::synchronous, Method::has_content, Method::replies};
}

template <class... Methods>
constexpr auto infos_of(MethodList<Methods...>) {
    return std::array{info_of<Methods>()...};
}

template <class... Methods>
constexpr auto describers_of(MethodList<Methods...>) {
    return std::array<Describe, sizeof...(Methods)>{&describe_as<Methods>...};
}

constexpr auto infos = infos_of(AllMethods{});
constexpr auto describers = describers_of(AllMethods{});

constexpr bool before(const MethodInfo& left, const MethodInfo& right) {
    return left.id < right.id;
}
static_assert(std::is_sorted(infos.begin(), infos.end(), before),
              "AllMethods must be in the order of ids: find_method searches by halves");
static_assert(std::adjacent_find(infos.begin(), infos.end(),
                                 [](const MethodInfo& left, const MethodInfo& right) {
                                     return left.id == right.id;
                                 }) == infos.end());

}  // namespace

const MethodInfo* find_method(MethodId id) noexcept {
    const auto found = std::lower_bound(infos.begin(), infos.end(), MethodInfo{.id = id}, before);
    return found != infos.end() && found->id == id ? &*found : nullptr;
}

std::span<const MethodInfo> all_methods() noexcept {
    return infos;
}

bool describe_payload(Bytes method_payload, std::string& out) {
    const auto id = read_method_id(method_payload);
    const MethodInfo* info = id ? find_method(*id) : nullptr;
    if (info != nullptr) {
        const auto at = static_cast<std::size_t>(info - infos.data());
        if (describers[at](method_payload.subspan(method_id_size), out)) return true;
        out += info->name;
        out += " malformed";
    } else if (id) {
        out += "unknown method ";
        append_number(std::uint64_t{id->class_id}, out);
        out += '.';
        append_number(std::uint64_t{id->method_id}, out);
    } else {
        out += "method without ids";
    }
    out += " (";
    append_number(std::uint64_t{method_payload.size()}, out);
    out += " octets)";
    return false;
}

}  // namespace haigha::wire
