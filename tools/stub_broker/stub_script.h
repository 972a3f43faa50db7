// The stub broker's script: rules that replace its honest answers, and what to do at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace haigha::test {

// The manual, which `haigha-stub-broker --help` prints.
extern const std::string_view stub_script_help;

enum class StubVerb : std::uint8_t {
    no_reply,
    hold,
    raw,
    nack,
    return_message,
    close_channel,
    close_connection,
    reset,
    drop,
    half_close,
    tell,
    one_byte,
    stop_reading,
    block,
    unblock,
    cancel,
    inject,
};

// When an action happens, seen from the method that it is about.
enum class StubTiming : std::uint8_t {
    instead,          // at once, and the method is not executed
    instead_content,  // the same, once its content has come whole
    beside,           // at once, and then the method is executed
};
StubTiming timing_of(StubVerb verb);

struct StubAction {
    StubVerb verb{};
    std::vector<std::byte> bytes{};  // raw, inject
    std::uint16_t code = 0;
    std::string text{};  // of a close, a return or a block; cancel: the consumer's tag, or all
};

struct StubRule {
    std::string_view method{};
    std::size_t nth = 0;         // 0: every one
    std::uint16_t channel = 0;   // 0: any
    std::size_t connection = 0;  // 0: any
    std::size_t seen = 0;
    StubAction action{};
    std::string text{};  // as it was given, without "on"
};

enum class StubStall : std::uint8_t { none, accept, start, tune, open };

// A command's words, one after the other. Throws std::invalid_argument with a sentence.
class StubLine {
  public:
    explicit StubLine(std::string_view text) : left_(text) { skip(); }
    bool empty() const { return left_.empty(); }
    std::string_view word();
    std::size_t number(std::size_t most);
    // Whether `wanted` is the next word, which is then taken.
    bool take(std::string_view wanted);
    // Everything that is left.
    std::string_view rest();
    std::string_view left() const { return left_; }
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

    // Counts the method in all its rules and gives the first one that applies: until rules change.
    const StubRule* match(std::string_view method, std::size_t connection, std::uint16_t channel);
    // True when `verb` was one of those that only change this script, and it is done.
    bool take(std::string_view verb, StubLine& line);
};

// The action that `verb` begins; nothing when it is none.
std::optional<StubAction> parse_stub_action(std::string_view verb, StubLine& line);
// Hexadecimal with blanks and quoted text: 01 0000 'text' ce.
std::vector<std::byte> parse_stub_hex(std::string_view text);

}  // namespace haigha::test
