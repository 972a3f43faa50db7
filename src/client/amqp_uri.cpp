#include "client/amqp_uri.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/host_list.h"

namespace haigha::client {

namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded += text[i];
            continue;
        }
        if (i + 2 >= text.size()) return std::nullopt;
        const int high = hex_digit(text[i + 1]);
        const int low = hex_digit(text[i + 2]);
        if (high < 0 || low < 0) return std::nullopt;
        decoded += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return decoded;
}

// `also`: what may stay as it is besides what may always (RFC 3986, 2.3).
std::string percent_encoded(std::string_view text, std::string_view also = {}) {
    static constexpr std::string_view digits = "0123456789ABCDEF";
    static constexpr std::string_view plain = "-._~";
    std::string encoded;
    encoded.reserve(text.size());
    for (const char c : text) {
        const bool letter =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (letter || plain.find(c) != plain.npos || also.find(c) != also.npos) {
            encoded += c;
            continue;
        }
        const auto octet = static_cast<unsigned char>(c);
        encoded += '%';
        encoded += digits[octet >> 4U];
        encoded += digits[octet & 15U];
    }
    return encoded;
}

bool same_ignoring_case(std::string_view text, std::string_view lower) {
    if (text.size() != lower.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
        if (c != lower[i]) return false;
    }
    return true;
}

ErrorRef bad_uri(const std::string& what) {
    return make_error(Status::argument, "the URI " + what);
}

ErrorRef set_decoded(Options& options, std::string_view name, std::string_view encoded) {
    const auto decoded = percent_decoded(encoded);
    if (!decoded) return bad_uri("has a % in its " + std::string(name) + " without two hex digits");
    return set_option(options, name, *decoded);
}

// One host has its port in the option of that name; several have theirs with them.
ErrorRef apply_hosts(Options& options, std::string_view text) {
    const bool several = text.find(',') != std::string_view::npos;
    std::string_view port;
    if (!several) {
        const std::size_t end = text.starts_with('[') ? text.find(']') : 0;
        const std::size_t colon = text.find(':', std::min(end, text.size()));
        if (colon != std::string_view::npos) {
            port = text.substr(colon + 1);
            if (port.find(':') != std::string_view::npos) {
                return bad_uri("has an IPv6 address that is not in [ ]");
            }
            text = text.substr(0, colon);
        }
    }
    if (!text.empty()) {
        if (ErrorRef error = set_decoded(options, "host", text)) return error;
        // The option takes a single address without them, and so whoever asks for its value.
        if (!several && options.host.starts_with('[') && options.host.ends_with(']')) {
            const std::string inner = options.host.substr(1, options.host.size() - 2);
            // Without them a:1 would be the host a and its port.
            std::vector<HostAndPort> hosts;
            if (parse_hosts(inner, &hosts) || hosts[0].host != inner) {
                return bad_uri("has something in [ ] that is no IPv6 address");
            }
            options.host = inner;
        }
    }
    if (port.empty()) return nullptr;
    // As an option it stands for the scheme's own port; no URI means that by it.
    if (port.find_first_not_of('0') == std::string_view::npos) return bad_uri("names the port 0");
    return set_option_from_text(options, "port", port);
}

// What apply_hosts makes the same host and port of; nothing when it would not.
std::optional<std::string> authority_of(const Options& options) {
    if (options.host.find(',') != std::string::npos) {
        return options.port == 0 ? std::optional(percent_encoded(options.host, ",:[]"))
                                 : std::nullopt;
    }
    std::vector<HostAndPort> hosts;
    if (parse_hosts(options.host, &hosts) || hosts[0].host != options.host) return std::nullopt;
    const bool address = options.host.find(':') != std::string::npos;
    std::string authority =
        address ? "[" + percent_encoded(options.host, ":") + "]" : percent_encoded(options.host);
    if (options.port != 0) authority += ":" + std::to_string(options.port);
    return authority;
}

// RabbitMQ's URIs name one in each `auth_mechanism`, in any case.
ErrorRef add_mechanism(Options& options, std::string value, bool first) {
    std::transform(value.begin(), value.end(), value.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    return set_option_from_text(options, "auth_mechanism",
                                first ? value : options.auth_mechanism + " " + value);
}

ErrorRef apply_query(Options& options, std::string_view query) {
    bool mechanism_given = false;
    while (!query.empty()) {
        const std::size_t end = query.find('&');
        const std::string_view pair = query.substr(0, end);
        query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
        if (pair.empty()) continue;
        const std::size_t equals = pair.find('=');
        if (equals == std::string_view::npos) return bad_uri("has a query parameter without a =");
        const auto name = percent_decoded(pair.substr(0, equals));
        const auto value = percent_decoded(pair.substr(equals + 1));
        if (!name || !value) return bad_uri("has a % in its query without two hex digits");
        // RabbitMQ's name for it: the login is in the URI's authority.
        const std::string_view option =
            *name == "password" ? std::string_view("key_password") : std::string_view(*name);
        ErrorRef error;
        if (option == "auth_mechanism") {
            error = add_mechanism(options, *value, !std::exchange(mechanism_given, true));
        } else {
            error = set_option_from_text(options, option, *value);
        }
        if (error) return error;
    }
    return nullptr;
}

}  // namespace

ErrorRef apply_uri(Options& options, std::string_view uri) {
    const std::size_t scheme_end = uri.find("://");
    if (scheme_end == std::string_view::npos) return bad_uri("does not begin with amqp://");
    const std::string_view scheme = uri.substr(0, scheme_end);
    const bool tls = same_ignoring_case(scheme, "amqps");
    if (!tls && !same_ignoring_case(scheme, "amqp")) {
        return bad_uri("has a scheme that is neither amqp nor amqps");
    }
    std::string_view rest = uri.substr(scheme_end + 3);
    if (rest.find('#') != std::string_view::npos) {
        return bad_uri("has a fragment (#); in a user name or password it is written %23");
    }
    // Where a reader may be wrong about what is the password, nothing is taken for anything else.
    if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
        if (rest.find_first_of("/?") < at) {
            return bad_uri(
                "has a / or a ? before its @: in a user name or password they are "
                "written %2F and %3F, and elsewhere a @ is written %40");
        }
    }
    std::string_view query;
    if (const std::size_t at = rest.find('?'); at != std::string_view::npos) {
        query = rest.substr(at + 1);
        rest = rest.substr(0, at);
    }
    Options changed = options;
    changed.tls = tls ? 1 : 0;
    std::string_view authority = rest;
    if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
        authority = rest.substr(0, slash);
        const std::string_view vhost = rest.substr(slash + 1);
        if (vhost.find('/') != std::string_view::npos) {
            return bad_uri("has more than one path segment; a / in the vhost is written %2F");
        }
        if (ErrorRef error = set_decoded(changed, "vhost", vhost)) return error;
    }
    if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
        const std::string_view login = authority.substr(0, at);
        authority = authority.substr(at + 1);
        if (login.find('@') != std::string_view::npos) {
            return bad_uri("has more than one @; in a user name or password it is written %40");
        }
        const std::size_t colon = login.find(':');
        if (ErrorRef error = set_decoded(changed, "user", login.substr(0, colon))) return error;
        if (colon != std::string_view::npos) {
            if (ErrorRef error = set_decoded(changed, "password", login.substr(colon + 1))) {
                return error;
            }
        }
    }
    if (ErrorRef error = apply_hosts(changed, authority)) return error;
    if (ErrorRef error = apply_query(changed, query)) return error;
    options = std::move(changed);
    return nullptr;
}

std::string uri_of(const Options& options, bool with_secrets) {
    static const Options defaults;
    std::string uri = options.tls != 0 ? "amqps://" : "amqp://";
    uri += percent_encoded(options.user);
    if (with_secrets) uri += ":" + percent_encoded(options.password);
    uri += "@";
    const std::optional<std::string> authority = authority_of(options);
    uri += authority.value_or("");
    uri += "/" + percent_encoded(options.vhost);
    char separator = '?';
    for (const OptionRow& row : option_rows()) {
        const bool in_authority =
            row.text == &Options::user || row.text == &Options::password ||
            row.text == &Options::vhost || row.number == &Options::tls ||
            (authority && (row.text == &Options::host || row.number == &Options::port));
        if (in_authority || (row.secret && !with_secrets)) continue;
        const bool changed = row.text != nullptr ? options.*row.text != defaults.*row.text
                                                 : options.*row.number != defaults.*row.number;
        if (!changed) continue;
        uri += separator;
        separator = '&';
        uri += row.text == &Options::key_password ? std::string_view("password") : row.name;
        uri += '=';
        uri += row.text != nullptr ? percent_encoded(options.*row.text)
                                   : std::to_string(options.*row.number);
    }
    return uri;
}

}  // namespace haigha::client
