// The stub broker's script: rules that replace its honest answers, and what to do at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace haigha::test {

// The manual, which `stub_broker --help` prints.
extern const std::string_view stub_script_help;

enum class StubVerb : std::uint8_t {
    no_reply,
    hold,
    raw,
    close_channel,
    close_connection,
    reset,
    half_close,
    one_byte,
};

struct StubAction {
    StubVerb verb{};
    std::vector<std::byte> bytes{};  // raw
    std::uint16_t code = 0;
    std::string text{};
};

struct StubRule {
    std::string_view method{};
    std::size_t nth = 0;  // 0: every one
    std::size_t seen = 0;
    StubAction action{};
};

enum class StubStall : std::uint8_t { none, accept, start, tune, open };

// A command's words, one after the other. Throws std::invalid_argument with a sentence.
class StubLine {
  public:
    explicit StubLine(std::string_view text) : left_(text) { skip(); }
    bool empty() const { return left_.empty(); }
    std::string_view word();
    std::size_t number(std::size_t most);
    // Everything that is left.
    std::string_view rest();
    void end() const;

  private:
    void skip();
    std::string_view left_;
};

struct StubScript {
    std::vector<StubRule> rules;
    StubStall stall = StubStall::none;
    std::optional<std::string> banner;
    std::size_t reset_after = 0;
    bool reading = true;

    // Counts the method in all its rules and gives what the first one that applies says.
    std::optional<StubAction> match(std::string_view method);
    // True when `verb` was one of those that only change this script, and it is done.
    bool take(std::string_view verb, StubLine& line);
};

// The action that `verb` begins; nothing when it is none.
std::optional<StubAction> parse_stub_action(std::string_view verb, StubLine& line);
std::vector<std::byte> parse_stub_hex(std::string_view text);

}  // namespace haigha::test
