// haigha_options: the table of options, by name.
#include <memory>
#include <string>

#include "base/wipe.h"
#include "boundary.h"
#include "client/amqp_uri.h"
#include "handles.h"

using haigha::Status;
using haigha::capi::Arguments;
using haigha::capi::guard;
using haigha::client::OptionRow;

namespace {

const OptionRow* find_row(Arguments& arguments, haigha_str name) {
    const auto key = arguments.name(name, "name");
    const OptionRow* row = haigha::client::find_option(key);
    if (row == nullptr) {
        arguments.fault(Status::argument,
                        "there is no option \"" + std::string(key.substr(0, 64)) + "\"");
    }
    return row;
}

// The program's function for as long as options that were copied from one another hold it.
template <class Fn>
struct Hook {
    Hook(Fn called, void* data) : fn(called), user_data(data) {}
    Hook(const Hook&) = delete;
    Hook& operator=(const Hook&) = delete;
    ~Hook() {
        if (release != nullptr) release(user_data);
    }

    Fn fn;
    void* user_data;
    haigha_release_fn release = nullptr;
};

bool ask(const Hook<haigha_key_password_fn>& hook, std::string* password) {
    password->resize(HAIGHA_KEY_PASSWORD_MAX);
    const int32_t size = hook.fn(password->data(), password->size(), hook.user_data);
    const bool given = size >= 0 && size <= HAIGHA_KEY_PASSWORD_MAX;
    if (given) {
        password->resize(static_cast<std::size_t>(size));
    } else {
        haigha::wipe(*password);
    }
    return given;
}

// Has `use(hook)` make what is kept of the program's function; of none, `*kept` is empty.
template <class Fn, class Kept, class Use>
haigha_status set_hook(haigha_options* options, Fn fn, void* user_data, haigha_release_fn release,
                       Kept haigha::client::Options::*kept, haigha_error** error, Use use) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(options, "options");
        if (arguments.bad()) return arguments.refuse(error);
        if (fn == nullptr) {
            options->values.*kept = nullptr;
            return HAIGHA_OK;
        }
        const auto hook = std::make_shared<Hook<Fn>>(fn, user_data);
        options->values.*kept = use(hook);
        hook->release = release;  // nothing can be refused any more
        return HAIGHA_OK;
    });
}

}  // namespace

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

haigha_status haigha_options_get_string(const haigha_options* options, haigha_str name,
                                        haigha_str* value, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(options, "options");
        arguments.required(value, "value");
        const OptionRow* row = find_row(arguments, name);
        if (row != nullptr && row->text == nullptr) {
            arguments.fault(Status::argument,
                            "the option " + std::string(row->name) + " is a number, not a string");
        }
        if (arguments.bad()) return arguments.refuse(error);
        *value = haigha::capi::str(options->values.*row->text);
        return HAIGHA_OK;
    });
}

haigha_status haigha_options_get_int(const haigha_options* options, haigha_str name, int64_t* value,
                                     haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(options, "options");
        arguments.required(value, "value");
        const OptionRow* row = find_row(arguments, name);
        if (row != nullptr && row->number == nullptr) {
            arguments.fault(Status::argument,
                            "the option " + std::string(row->name) + " is a string, not a number");
        }
        if (arguments.bad()) return arguments.refuse(error);
        *value = options->values.*row->number;
        return HAIGHA_OK;
    });
}

haigha_status haigha_options_get_uri(haigha_options* options, int32_t with_secrets, haigha_str* uri,
                                     haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(options, "options");
        arguments.required(uri, "uri");
        if (arguments.bad()) return arguments.refuse(error);
        haigha::wipe(options->uri);
        options->uri = haigha::client::uri_of(options->values, with_secrets != 0);
        *uri = haigha::capi::str(options->uri);
        return HAIGHA_OK;
    });
}

haigha_status haigha_options_set_key_password_fn(haigha_options* options, haigha_key_password_fn fn,
                                                 void* user_data, haigha_release_fn release,
                                                 haigha_error** error) {
    return set_hook(options, fn, user_data, release, &haigha::client::Options::ask_key_password,
                    error, [](const auto& hook) {
                        return [hook](std::string* password) { return ask(*hook, password); };
                    });
}

haigha_status haigha_options_set_tls_fn(haigha_options* options, haigha_tls_fn fn, void* user_data,
                                        haigha_release_fn release, haigha_error** error) {
    return set_hook(options, fn, user_data, release, &haigha::client::Options::prepare_tls, error,
                    [](const auto& hook) {
                        return [hook](void* ssl_ctx) {
                            return hook->fn(ssl_ctx, hook->user_data) == 0;
                        };
                    });
}

haigha_status haigha_options_set_recovery_filter_fn(haigha_options* options,
                                                    haigha_recovery_filter_fn fn, void* user_data,
                                                    haigha_release_fn release,
                                                    haigha_error** error) {
    return set_hook(options, fn, user_data, release, &haigha::client::Options::recovery_filter,
                    error, [](const auto& hook) {
                        return [hook](const haigha::client::RecoveryEntity& of) {
                            haigha_recovery_entity entity{};
                            entity.kind = static_cast<std::uint32_t>(of.kind);
                            entity.name = haigha::capi::str(of.name);
                            entity.exchange = haigha::capi::str(of.exchange);
                            entity.routing_key = haigha::capi::str(of.routing_key);
                            entity.consumer_tag = haigha::capi::str(of.consumer_tag);
                            return hook->fn(&entity, hook->user_data) != 0;
                        };
                    });
}

haigha_status haigha_options_set_choose_host_fn(haigha_options* options, haigha_choose_host_fn fn,
                                                void* user_data, haigha_release_fn release,
                                                haigha_error** error) {
    return set_hook(
        options, fn, user_data, release, &haigha::client::Options::choose_host, error,
        [](const auto& hook) {
            return [hook](std::span<const haigha::client::KnownHost> hosts) {
                std::vector<haigha_host_state> states;
                for (const haigha::client::KnownHost& one : hosts) {
                    states.push_back({haigha::capi::str(one.name), one.failures,
                                      one.refused ? std::uint32_t{1} : std::uint32_t{0}});
                }
                const std::int32_t index = hook->fn(states.data(), states.size(), hook->user_data);
                return index < 0 ? states.size() : static_cast<std::size_t>(index);
            };
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
