#include "client/host_list.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace haigha::client {

namespace {

constexpr std::size_t longest_host = 253;

ErrorRef bad(const char* what) {
    return make_error(Status::argument, std::string("the option host ") + what);
}

ErrorRef parse_port(std::string_view text, std::uint16_t* port) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *port);
    if (error == std::errc() && end == text.data() + text.size() && *port != 0) return nullptr;
    return bad("has a port that is no number from 1 to 65535");
}

ErrorRef parse_host(std::string_view text, bool alone, HostAndPort* out) {
    std::string_view port;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) return bad("has a [ without a ]");
        const std::string_view rest = text.substr(end + 1);
        out->host = text.substr(1, end - 1);
        if (!rest.empty() && rest[0] != ':') return bad("has something between ] and the port");
        if (!rest.empty()) port = rest.substr(1);
    } else {
        const std::size_t colon = text.find(':');
        const bool several = colon != text.rfind(':');
        if (several && !alone) return bad("has an IPv6 address that is not in [ ]");
        if (colon != std::string_view::npos && !several) {
            port = text.substr(colon + 1);
            text = text.substr(0, colon);
        }
        out->host = text;
    }
    if (out->host.empty()) return bad("has an empty name");
    if (out->host.size() > longest_host) return bad("has a name of more than 253 bytes");
    return port.empty() ? nullptr : parse_port(port, &out->port);
}

}  // namespace

ErrorRef parse_hosts(std::string_view text, std::vector<HostAndPort>* hosts) {
    hosts->clear();
    const bool alone = text.find(',') == std::string_view::npos;
    while (true) {
        const std::size_t end = std::min(text.find(','), text.size());
        HostAndPort one;
        if (ErrorRef error = parse_host(text.substr(0, end), alone, &one)) return error;
        hosts->push_back(std::move(one));
        if (end == text.size()) return nullptr;
        text.remove_prefix(end + 1);
    }
}

}  // namespace haigha::client
