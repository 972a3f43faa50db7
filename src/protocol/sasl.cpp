#include "protocol/sasl.h"

#include "wire/field_table.h"

namespace haigha::protocol {

namespace {
// Cuts the next word off `text`; empty at its end.
std::string_view next_word(std::string_view& text) {
    const std::size_t begin = text.find_first_not_of(' ');
    if (begin == std::string_view::npos) return {};
    std::size_t end = text.find(' ', begin);
    if (end == std::string_view::npos) end = text.size();
    const std::string_view word = text.substr(begin, end - begin);
    text.remove_prefix(end);
    return word;
}
}  // namespace

bool is_known_mechanism(std::string_view mechanism) {
    return initial_response(mechanism, {}).has_value();
}

bool sends_password(std::string_view mechanism) {
    return mechanism == "PLAIN" || mechanism == "AMQPLAIN" || mechanism == "RABBIT-CR-DEMO";
}

std::optional<std::string> choose_mechanism(std::string_view wanted, std::string_view offered,
                                            MechanismRules rules) {
    while (true) {
        const std::string_view candidate = next_word(wanted);
        if (candidate.empty()) return std::nullopt;
        if (!rules.unknown_ones && !is_known_mechanism(candidate)) continue;
        if (!rules.secret_by_wire && sends_password(candidate)) continue;
        std::string_view rest = offered;
        for (std::string_view name = next_word(rest); !name.empty(); name = next_word(rest)) {
            if (name == candidate) return std::string(name);
        }
    }
}

std::optional<std::string> initial_response(std::string_view mechanism,
                                            const Credentials& credentials) {
    if (mechanism == "PLAIN") {
        std::string response(1, '\0');
        response += credentials.user;
        response += '\0';
        response += credentials.password;
        return response;
    }
    if (mechanism == "AMQPLAIN") {
        wire::FieldTable table;
        (void)table.add_string("LOGIN", credentials.user);
        (void)table.add_string("PASSWORD", credentials.password);
        return std::string(wire::as_text(table.contents()));
    }
    if (mechanism == "RABBIT-CR-DEMO") return credentials.user;
    if (mechanism == "EXTERNAL") return std::string();
    if (mechanism == "ANONYMOUS") return std::string();
    return std::nullopt;
}

std::optional<std::string> next_response(std::string_view mechanism,
                                         const Credentials& credentials) {
    if (mechanism == "RABBIT-CR-DEMO") return "My password is " + credentials.password;
    return std::nullopt;
}

}  // namespace haigha::protocol
