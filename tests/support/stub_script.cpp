#include "support/stub_script.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "support/octets.h"
#include "wire/method_table.h"

namespace haigha::test {

const std::string_view stub_script_help = R"(Rules, for methods that a client sends:
  on METHOD ACTION         each time, for example: on queue.declare no-reply
  on METHOD#N ACTION       the Nth time from now on, once
  clear                    forgets all rules
The first rule that applies replaces what the broker would do. ACTION is one of:
  no-reply                 drops the method
  hold                     keeps the method, and executes it at `release`
  raw HEX                  sends these bytes in place of executing it
  close-channel CODE TEXT  closes the method's channel
  close-connection CODE TEXT
  reset                    ends the TCP connection with RST
  half-close               ends the sending direction
  one-byte                 executes it; from now on everything is sent byte by byte
At once, on every connection:
  release [N]              executes what is held, all or the first N
  inject HEX               sends these bytes
  close-channel CHANNEL CODE TEXT
  close-connection CODE TEXT
  flow CHANNEL on|off      sends channel.flow
  block REASON, unblock    sends connection.blocked, connection.unblocked
  reset, half-close, one-byte
  stop-reading, resume     also for connections that come
For connections that come:
  stall accept|start|tune|open|none   that step and what follows does not happen
  banner TEXT              sent in place of connection.start; knows \r \n \\ \xHH
  reset-after N            resets a connection that has sent N bytes; 0: never
HEX is hexadecimal with blanks and quoted text: 01 0000 'text' ce. Lines with # first are comments.
)";

namespace {

[[noreturn]] void refuse(std::string text) {
    throw std::invalid_argument(std::move(text));
}

std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '\\') {
            out += text[at];
            continue;
        }
        if (++at == text.size()) refuse("a backslash at the end");
        switch (text[at]) {
            case 'r':
                out += '\r';
                break;
            case 'n':
                out += '\n';
                break;
            case '\\':
                out += '\\';
                break;
            case 'x': {
                const std::string_view digits = text.substr(at + 1, 2);
                unsigned value = 0;
                const auto [end, error] =
                    std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
                if (error != std::errc() || end != digits.data() + 2)
                    refuse("\\x takes two digits");
                out += static_cast<char>(value);
                at += 2;
                break;
            }
            default:
                refuse("an unknown escape in the text");
        }
    }
    return out;
}

// The static name, which outlives every line.
std::string_view method_called(std::string_view name) {
    for (const wire::MethodInfo& info : wire::all_methods()) {
        if (info.name == name) return info.name;
    }
    refuse("there is no method \"" + std::string(name) + "\"");
}

StubStall stall_called(std::string_view name) {
    if (name == "none") return StubStall::none;
    if (name == "accept") return StubStall::accept;
    if (name == "start") return StubStall::start;
    if (name == "tune") return StubStall::tune;
    if (name == "open") return StubStall::open;
    refuse("stall takes accept, start, tune, open or none");
}

StubRule parse_rule(StubLine& line) {
    StubRule rule;
    std::string_view method = line.word();
    if (const auto hash = method.find('#'); hash != std::string_view::npos) {
        StubLine nth(method.substr(hash + 1));
        rule.nth = nth.number(SIZE_MAX);
        nth.end();
        method = method.substr(0, hash);
    }
    rule.method = method_called(method);
    const std::string_view verb = line.word();
    std::optional<StubAction> action = parse_stub_action(verb, line);
    if (!action) refuse("there is no action \"" + std::string(verb) + "\"");
    rule.action = std::move(*action);
    return rule;
}

}  // namespace

void StubLine::skip() {
    left_.remove_prefix(std::min(left_.find_first_not_of(" \t\r"), left_.size()));
}

std::string_view StubLine::word() {
    if (left_.empty()) refuse("a word is missing");
    const std::string_view word = left_.substr(0, left_.find_first_of(" \t\r"));
    left_.remove_prefix(word.size());
    skip();
    return word;
}

std::size_t StubLine::number(std::size_t most) {
    const std::string_view digits = word();
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || value > most) {
        refuse("\"" + std::string(digits) + "\" is not a number here");
    }
    return value;
}

std::string_view StubLine::rest() {
    std::string_view rest = left_;
    left_ = {};
    while (rest.ends_with('\r'))
        rest.remove_suffix(1);
    return rest;
}

void StubLine::end() const {
    if (!left_.empty()) refuse("too much: \"" + std::string(left_) + "\"");
}

std::vector<std::byte> parse_stub_hex(std::string_view text) {
    return octets(text);
}

std::optional<StubAction> parse_stub_action(std::string_view verb, StubLine& line) {
    StubAction action;
    const auto with_reason = [&](StubVerb close) {
        action.verb = close;
        action.code = static_cast<std::uint16_t>(line.number(UINT16_MAX));
        action.text = line.rest();
    };
    if (verb == "close-channel") {
        with_reason(StubVerb::close_channel);
    } else if (verb == "close-connection") {
        with_reason(StubVerb::close_connection);
    } else if (verb == "raw") {
        action.verb = StubVerb::raw;
        action.bytes = parse_stub_hex(line.rest());
    } else if (verb == "no-reply") {
        action.verb = StubVerb::no_reply;
    } else if (verb == "hold") {
        action.verb = StubVerb::hold;
    } else if (verb == "reset") {
        action.verb = StubVerb::reset;
    } else if (verb == "half-close") {
        action.verb = StubVerb::half_close;
    } else if (verb == "one-byte") {
        action.verb = StubVerb::one_byte;
    } else {
        return std::nullopt;
    }
    line.end();
    return action;
}

std::optional<StubAction> StubScript::match(std::string_view method) {
    std::optional<StubAction> found;
    for (StubRule& rule : rules) {
        if (rule.method != method) continue;
        ++rule.seen;
        if (!found && (rule.nth == 0 || rule.nth == rule.seen)) found = rule.action;
    }
    return found;
}

bool StubScript::take(std::string_view verb, StubLine& line) {
    if (verb == "on") {
        rules.push_back(parse_rule(line));
    } else if (verb == "clear") {
        rules.clear();
    } else if (verb == "stall") {
        stall = stall_called(line.word());
    } else if (verb == "banner") {
        banner = unescaped(line.rest());
    } else if (verb == "reset-after") {
        reset_after = line.number(SIZE_MAX);
    } else if (verb == "stop-reading") {
        reading = false;
    } else if (verb == "resume") {
        reading = true;
    } else {
        return false;
    }
    line.end();
    return true;
}

}  // namespace haigha::test
