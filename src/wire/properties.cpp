// Encodes and decodes the property list from one table of its fields.
#include "wire/properties.h"

#include <tuple>
#include <type_traits>

#include "wire/trace_text.h"

namespace haigha::wire {
namespace {

template <class Member>
struct Property {
    std::uint16_t flag;
    const char* name;
    Member Properties::*member;
};
// Clang deduces aggregates by itself only from version 17 on.
template <class Member>
Property(std::uint16_t, const char*, Member Properties::*) -> Property<Member>;

// In wire order, which is the order of the flags from the highest bit.
constexpr auto properties_in_order = std::tuple{
    Property{property_content_type, "content_type", &Properties::content_type},
    Property{property_content_encoding, "content_encoding", &Properties::content_encoding},
    Property{property_headers, "headers", &Properties::headers},
    Property{property_delivery_mode, "delivery_mode", &Properties::delivery_mode},
    Property{property_priority, "priority", &Properties::priority},
    Property{property_correlation_id, "correlation_id", &Properties::correlation_id},
    Property{property_reply_to, "reply_to", &Properties::reply_to},
    Property{property_expiration, "expiration", &Properties::expiration},
    Property{property_message_id, "message_id", &Properties::message_id},
    Property{property_timestamp, "timestamp", &Properties::timestamp},
    Property{property_type, "type", &Properties::type},
    Property{property_user_id, "user_id", &Properties::user_id},
    Property{property_app_id, "app_id", &Properties::app_id},
    Property{property_cluster_id, "cluster_id", &Properties::cluster_id},
};

// Calls visit(property, field) for each property that is present.
template <class Visitor>
inline void each_present(const Properties& properties, Visitor&& visit) {
    std::apply(
        [&](const auto&... property) {
            ((properties.has(property.flag) ? visit(property, properties.*property.member)
                                            : void()),
             ...);
        },
        properties_in_order);
}

// Property strings are short strings on the wire, but plain views for users of Properties.
template <class Field>
inline auto encoded_as(const Field& field) noexcept {
    if constexpr (std::is_same_v<Field, std::string_view>) {
        return ShortString{field};
    } else {
        return field;
    }
}

}  // namespace

std::size_t properties_size(const Properties& properties) noexcept {
    if ((properties.present & known_properties) == 0) return 2;
    Sizer sizer;
    sizer(properties.present);
    each_present(properties, [&](const auto&, const auto& field) { sizer(encoded_as(field)); });
    return sizer.size();
}

std::byte* write_properties(const Properties& properties, std::byte* out) noexcept {
    Writer writer(out);
    writer(static_cast<std::uint16_t>(properties.present & known_properties));
    if ((properties.present & known_properties) == 0) return writer.position();
    each_present(properties, [&](const auto&, const auto& field) { writer(encoded_as(field)); });
    return writer.position();
}

bool parse_properties(Bytes raw, Properties& out) noexcept {
    Reader reader(raw);
    out = Properties{};
    const std::uint16_t flags = reader.u16();
    if ((flags & ~known_properties) != 0) return false;
    out.present = flags;
    const auto read = [&]<class Member>(const Property<Member>& property) {
        if (!out.has(property.flag)) return;
        if constexpr (std::is_same_v<Member, std::string_view>) {
            out.*property.member = reader.short_string();
        } else {
            reader(out.*property.member);
        }
    };
    std::apply([&](const auto&... property) { (read(property), ...); }, properties_in_order);
    return reader.ok() && reader.remaining() == 0;
}

const char* oversized_property(const Properties& properties) noexcept {
    const char* found = nullptr;
    each_present(properties, [&]<class Field>(const auto& property, const Field& field) {
        if constexpr (std::is_same_v<Field, std::string_view>) {
            if (found == nullptr && field.size() > max_short_string) found = property.name;
        }
    });
    return found;
}

void describe_properties(const Properties& properties, std::string& out) {
    std::string_view separator;
    each_present(properties, [&]<class Field>(const auto& property, const Field& field) {
        out += separator;
        separator = " ";
        out += property.name;
        out += '=';
        if constexpr (std::is_same_v<Field, std::string_view>) {
            append_quoted(field, out);
        } else if constexpr (std::is_same_v<Field, TableBytes>) {
            append_table(field.bytes, out);
        } else {
            append_number(std::uint64_t{field}, out);
        }
    });
}

}  // namespace haigha::wire
