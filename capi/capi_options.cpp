// haigha_options: the table of options, by name.
#include <memory>

#include "boundary.h"
#include "client/amqp_uri.h"
#include "handles.h"

using haigha::capi::Arguments;
using haigha::capi::guard;

haigha_status haigha_options_new(haigha_options** options, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(options, "options");
        if (arguments.bad()) return arguments.refuse(error);
        *options = std::make_unique<haigha_options>().release();
        return HAIGHA_OK;
    });
}

void haigha_options_free(haigha_options* options) {
    delete options;
}

haigha_status haigha_options_set_string(haigha_options* options, haigha_str name, haigha_str value,
                                        haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(options, "options");
        const auto key = arguments.name(name, "name");
        const auto text = arguments.text(value, "value", 1 << 25);
        if (arguments.bad()) return arguments.refuse(error);
        return haigha::capi::answer(haigha::client::set_option(options->values, key, text), error);
    });
}

haigha_status haigha_options_set_int(haigha_options* options, haigha_str name, int64_t value,
                                     haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(options, "options");
        const auto key = arguments.name(name, "name");
        if (arguments.bad()) return arguments.refuse(error);
        return haigha::capi::answer(haigha::client::set_option(options->values, key, value), error);
    });
}

haigha_status haigha_options_set_uri(haigha_options* options, haigha_str uri,
                                     haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(options, "options");
        const auto text = arguments.text(uri, "uri", 1 << 20);
        if (arguments.bad()) return arguments.refuse(error);
        return haigha::capi::answer(haigha::client::apply_uri(options->values, text), error);
    });
}

haigha_status haigha_options_describe(size_t index, haigha_option_info* info) {
    const auto rows = haigha::client::option_rows();
    if (info == nullptr || index >= rows.size()) return HAIGHA_ERR_ARGUMENT;
    const std::size_t size = info->size;
    if (size < sizeof(haigha_option_info) || size > haigha::capi::max_struct_size) {
        return HAIGHA_ERR_STRUCT_VERSION;
    }
    return guard(nullptr, [&]() -> haigha_status {
        const haigha::client::OptionRow& row = rows[index];
        const haigha::client::Options defaults;
        haigha_option_info filled{};
        filled.size = size;
        filled.name = haigha::capi::str(row.name);
        filled.meaning = haigha::capi::str(row.meaning);
        filled.default_string = haigha::capi::str(row.default_text);
        filled.default_int = row.number != nullptr ? defaults.*row.number : 0;
        filled.minimum = row.minimum;
        filled.maximum = row.maximum;
        filled.type = row.text != nullptr ? HAIGHA_OPTION_STRING : HAIGHA_OPTION_INT;
        filled.secret = row.secret ? 1 : 0;
        std::memset(info, 0, size);
        std::memcpy(info, &filled, sizeof filled);
        return HAIGHA_OK;
    });
}
