#include "stub_broker/stub_script.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>

#include "wire/method_table.h"

namespace haigha::test {

// What no octet of a client's can fill: a script is its user's, but a slip of the keys is one too.
constexpr std::size_t most_rules = 100'000;

const std::string_view stub_script_help = R"(Rules, for methods that a client sends:
  on METHOD[#N] [connection K] [channel C] ACTION
each time, or the Nth time from now on, counted among those that the rule is about. Connections
count from 1. For example:
  on queue.declare no-reply
  on basic.publish#3 channel 1 nack
METHOD is also connect, disconnect, heartbeat or protocol-header, of which the only action is tell.
The first rule that applies is followed. In place of what the broker would do:
  no-reply                 drops the method
  hold                     keeps the method, and executes it at `go`
  raw HEX                  sends these bytes
  nack                     basic.publish: the message is lost, and a confirm channel told so
  return CODE TEXT         basic.publish: comes back, and is confirmed on a confirm channel
  refuse-login             connection.start-ok: as for a wrong password
  close-channel CODE TEXT  closes the method's channel
  close-connection CODE TEXT
  drop                     ends the TCP connection with FIN, without a word
  reset                    ends it with RST
  half-close               ends the sending direction
Before the method is executed as ever:
  tell                     only says that it has come
  inject HEX               sends these bytes
  block REASON, unblock    sends connection.blocked, connection.unblocked
  cancel [TAG]             cancels that consumer of the channel, or all of it
  stop-reading             of this connection, until `resume`
  one-byte                 from now on everything is sent byte by byte
  clear                    forgets all rules (not an action, but a line of its own)
At once, on every connection, as lines of their own:
  go [N]                   executes what is held, all or the first N; also called release
  inject HEX, block REASON, unblock, one-byte, drop, reset, half-close
  cancel [TAG]             of every channel
  close-channel CHANNEL CODE TEXT
  close-connection CODE TEXT
  flow CHANNEL on|off      sends channel.flow
  stop-reading, resume     also for connections that come
  put QUEUE TEXT           puts a message there; the queue is made, durable, if there is none
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

constexpr std::array<std::string_view, 4> happenings = {"connect", "disconnect", "heartbeat",
                                                        "protocol-header"};

// The static name, which outlives every line.
std::string_view method_called(std::string_view name) {
    for (const std::string_view happening : happenings) {
        if (happening == name) return happening;
    }
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

// Some actions are about one method only.
void check_method(std::string_view method, const StubAction& action, std::string_view verb) {
    const bool happening =
        std::find(happenings.begin(), happenings.end(), method) != happenings.end();
    if (happening && action.verb != StubVerb::tell) {
        refuse(std::string(method) + " is no method: it can only be told");
    }
    const bool about_publish =
        action.verb == StubVerb::nack || action.verb == StubVerb::return_message;
    if (about_publish && method != "basic.publish") {
        refuse(std::string(verb) + " is for basic.publish");
    }
    if (verb == "refuse-login" && method != "connection.start-ok" &&
        method != "connection.secure-ok") {
        refuse("refuse-login is for connection.start-ok and connection.secure-ok");
    }
    if (action.verb == StubVerb::close_channel && method.starts_with("connection.")) {
        refuse(std::string(method) + " has no channel to close");
    }
}

StubRule parse_rule(StubLine& line) {
    StubRule rule;
    rule.text = line.left();
    while (rule.text.ends_with('\r'))
        rule.text.pop_back();
    std::string_view method = line.word();
    if (const auto hash = method.find('#'); hash != std::string_view::npos) {
        StubLine nth(method.substr(hash + 1));
        rule.nth = nth.number(SIZE_MAX);
        nth.end();
        if (rule.nth == 0) refuse("times are counted from 1");
        method = method.substr(0, hash);
    }
    rule.method = method_called(method);
    if (line.take("connection")) rule.connection = line.number(SIZE_MAX);
    if (line.take("channel")) rule.channel = static_cast<std::uint16_t>(line.number(UINT16_MAX));
    const std::string_view verb = line.word();
    std::optional<StubAction> action = parse_stub_action(verb, line);
    if (!action) refuse("there is no action \"" + std::string(verb) + "\"");
    check_method(rule.method, *action, verb);
    rule.action = std::move(*action);
    return rule;
}

int hex_digit(char character) {
    if (character >= '0' && character <= '9') return character - '0';
    const char lower = static_cast<char>(character | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The actions without anything behind them.
struct PlainVerb {
    std::string_view name;
    StubVerb verb;
};
constexpr std::array<PlainVerb, 10> plain_verbs = {{
    {"no-reply", StubVerb::no_reply},
    {"hold", StubVerb::hold},
    {"nack", StubVerb::nack},
    {"reset", StubVerb::reset},
    {"drop", StubVerb::drop},
    {"half-close", StubVerb::half_close},
    {"tell", StubVerb::tell},
    {"one-byte", StubVerb::one_byte},
    {"stop-reading", StubVerb::stop_reading},
    {"unblock", StubVerb::unblock},
}};

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

bool StubLine::take(std::string_view wanted) {
    if (left_.substr(0, left_.find_first_of(" \t\r")) != wanted) return false;
    (void)word();
    return true;
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
    std::vector<std::byte> bytes;
    int high = -1;
    bool quoted = false;
    for (const char character : text) {
        if (character == '\'') {
            quoted = !quoted;
        } else if (quoted) {
            bytes.push_back(static_cast<std::byte>(character));
        } else if (const int digit = hex_digit(character); digit >= 0) {
            if (high >= 0) bytes.push_back(static_cast<std::byte>(high * 16 + digit));
            high = high >= 0 ? -1 : digit;
        } else if (character != ' ') {
            refuse("bytes are hexadecimal digits, blanks, and text in single quotes");
        }
    }
    if (high >= 0 || quoted) refuse("the bytes end in the middle of one, or of a quotation");
    return bytes;
}

std::optional<StubAction> parse_stub_action(std::string_view verb, StubLine& line) {
    StubAction action;
    const auto with_reason = [&](StubVerb what) {
        action.verb = what;
        action.code = static_cast<std::uint16_t>(line.number(UINT16_MAX));
        action.text = line.rest();
    };
    const auto with_text = [&](StubVerb what) {
        action.verb = what;
        action.text = line.rest();
    };
    const auto with_bytes = [&](StubVerb what) {
        action.verb = what;
        action.bytes = parse_stub_hex(line.rest());
    };
    const auto* const plain = std::find_if(plain_verbs.begin(), plain_verbs.end(),
                                           [&](const PlainVerb& one) { return one.name == verb; });
    if (plain != plain_verbs.end()) {
        action.verb = plain->verb;
    } else if (verb == "close-channel") {
        with_reason(StubVerb::close_channel);
    } else if (verb == "close-connection") {
        with_reason(StubVerb::close_connection);
    } else if (verb == "return") {
        with_reason(StubVerb::return_message);
    } else if (verb == "refuse-login") {
        action.verb = StubVerb::close_connection;
        action.code = 403;
        action.text =
            "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For "
            "details see the broker logfile.";
    } else if (verb == "raw") {
        with_bytes(StubVerb::raw);
    } else if (verb == "inject") {
        with_bytes(StubVerb::inject);
    } else if (verb == "block") {
        with_text(StubVerb::block);
    } else if (verb == "cancel") {
        with_text(StubVerb::cancel);
    } else {
        return std::nullopt;
    }
    line.end();
    return action;
}

StubTiming timing_of(StubVerb verb) {
    switch (verb) {
        case StubVerb::no_reply:
        case StubVerb::hold:
        case StubVerb::raw:
        case StubVerb::nack:
        case StubVerb::return_message:
            return StubTiming::instead_content;
        case StubVerb::close_channel:
        case StubVerb::close_connection:
        case StubVerb::reset:
        case StubVerb::drop:
        case StubVerb::half_close:
            return StubTiming::instead;
        case StubVerb::tell:
        case StubVerb::one_byte:
        case StubVerb::stop_reading:
        case StubVerb::block:
        case StubVerb::unblock:
        case StubVerb::cancel:
        case StubVerb::inject:
            break;
    }
    return StubTiming::beside;
}

const StubRule* StubScript::match(std::string_view method, std::size_t connection,
                                  std::uint16_t channel) {
    const StubRule* found = nullptr;
    for (StubRule& rule : rules) {
        if (rule.method != method || (rule.connection != 0 && rule.connection != connection) ||
            (rule.channel != 0 && rule.channel != channel)) {
            continue;
        }
        ++rule.seen;
        if (found == nullptr && (rule.nth == 0 || rule.nth == rule.seen)) found = &rule;
    }
    return found;
}

bool StubScript::take(std::string_view verb, StubLine& line) {
    if (verb == "on") {
        if (rules.size() >= most_rules) refuse("there are too many rules: see clear");
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
