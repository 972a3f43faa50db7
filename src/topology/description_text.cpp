// A topology as lines of text.
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "topology/description.h"
#include "wire/field_table.h"

namespace haigha::topology {

namespace {

struct Word {
    std::string text;
    bool quoted = false;  // at its beginning: it is no keyword and no argument
    // name=value
    bool argument = false;
    std::string value{};
    bool value_quoted = false;

    bool is(std::string_view keyword) const { return !quoted && !argument && text == keyword; }
    bool is_name() const { return !argument; }
};

bool is_space(char letter) {
    return letter == ' ' || letter == '\t' || letter == '\r';
}

// Takes words off a line.
class Words {
  public:
    explicit Words(std::string_view line) : left_(line) {}

    bool at_comment() {
        skip_spaces();
        return left_.starts_with('#');
    }

    // False at the end, and with `error` set when there is no word to be made of what is left.
    bool next(Word& word, std::string& error) {
        skip_spaces();
        if (left_.empty()) return false;
        word = Word();
        if (!part(word.text, word.quoted, true, error)) return false;
        if (!left_.empty() && left_.front() == '=' && !word.text.empty()) {
            left_.remove_prefix(1);
            word.argument = true;
            word.quoted = false;
            if (!part(word.value, word.value_quoted, false, error)) return false;
        }
        if (!left_.empty() && !is_space(left_.front())) {
            error = "a space is missing behind \"" + word.text + "\"";
            return false;
        }
        return true;
    }

  private:
    void skip_spaces() {
        while (!left_.empty() && is_space(left_.front()))
            left_.remove_prefix(1);
    }

    bool part(std::string& to, bool& quoted, bool ends_at_equals, std::string& error) {
        quoted = !left_.empty() && left_.front() == '"';
        if (quoted) return quoted_part(to, error);
        while (!left_.empty() && !is_space(left_.front())) {
            if (ends_at_equals && left_.front() == '=') break;
            to += left_.front();
            left_.remove_prefix(1);
        }
        return true;
    }

    bool quoted_part(std::string& to, std::string& error) {
        left_.remove_prefix(1);
        while (!left_.empty() && left_.front() != '"') {
            if (left_.front() == '\\') left_.remove_prefix(1);
            if (left_.empty()) break;
            to += left_.front();
            left_.remove_prefix(1);
        }
        if (left_.empty()) {
            error = "a double quote is not closed";
            return false;
        }
        left_.remove_prefix(1);
        return true;
    }

    std::string_view left_;
};

wire::FieldError add_argument(wire::FieldTable& table, const Word& word) {
    if (!word.value_quoted) {
        if (word.value == "true") return table.add_bool(word.text, true);
        if (word.value == "false") return table.add_bool(word.text, false);
        std::int64_t number = 0;
        const char* const end = word.value.data() + word.value.size();
        const auto [at, error] = std::from_chars(word.value.data(), end, number);
        if (error == std::errc() && at == end) return table.add_int(word.text, number);
    }
    return table.add_string(word.text, word.value);
}

// One line, read into an entity.
class Line {
  public:
    Line(Description& into, const std::vector<Word>& words) : into_(into), words_(words) {}

    // Why it could not be; empty when it could.
    std::string read() {
        const Word& first = words_[at_++];
        if (first.is("exchange")) return exchange();
        if (first.is("queue")) return queue();
        if (first.is("bind")) return binding();
        return "a line begins with exchange, queue or bind, not with \"" + first.text + "\"";
    }

  private:
    bool name(std::string& to) {
        if (at_ == words_.size() || !words_[at_].is_name()) return false;
        to = words_[at_++].text;
        return true;
    }
    bool keyword(std::string_view text) {
        if (at_ == words_.size() || !words_[at_].is(text)) return false;
        ++at_;
        return true;
    }

    struct Flag {
        std::string_view name;
        bool* set;
    };
    // What is left of the line: flags and arguments in any order.
    std::string rest(std::initializer_list<Flag> flags, Contents& arguments) {
        wire::FieldTable table;
        for (; at_ < words_.size(); ++at_) {
            const Word& word = words_[at_];
            if (word.argument) {
                const wire::FieldError error = add_argument(table, word);
                if (error == wire::FieldError::none) continue;
                return "the argument " + word.text + ": " + wire::field_error_text(error);
            }
            bool known = false;
            for (const Flag& flag : flags) {
                if (!word.is(flag.name)) continue;
                *flag.set = true;
                known = true;
            }
            if (!known) return "\"" + word.text + "\" is not known here";
        }
        arguments.assign(table.contents().begin(), table.contents().end());
        return {};
    }

    std::string exchange() {
        ExchangeDescription one;
        if (!name(one.name) || !name(one.type)) return "exchange is followed by NAME TYPE";
        std::string why = rest({{"durable", &one.durable},
                                {"auto-delete", &one.auto_delete},
                                {"internal", &one.internal}},
                               one.arguments);
        return why.empty() ? into_.add(std::move(one)) : why;
    }

    std::string queue() {
        QueueDescription one;
        if (!name(one.name)) return "queue is followed by NAME";
        std::string why = rest({{"durable", &one.durable},
                                {"auto-delete", &one.auto_delete},
                                {"exclusive", &one.exclusive}},
                               one.arguments);
        return why.empty() ? into_.add(std::move(one)) : why;
    }

    std::string binding() {
        BindingDescription one;
        one.to_queue = !keyword("exchange");
        if (!name(one.destination) || !keyword("from") || !name(one.source)) {
            return "bind is followed by QUEUE from EXCHANGE, or by exchange EXCHANGE from EXCHANGE";
        }
        if (keyword("by") && !name(one.routing_key)) return "by is followed by a routing key";
        std::string why = rest({}, one.arguments);
        return why.empty() ? into_.add(std::move(one)) : why;
    }

    Description& into_;
    const std::vector<Word>& words_;
    std::size_t at_ = 0;
};

std::string read_line(Description& into, std::string_view line) {
    std::vector<Word> words;
    Words cursor(line);
    Word word;
    std::string error;
    if (cursor.at_comment()) return {};
    while (cursor.next(word, error))
        words.push_back(std::move(word));
    if (!error.empty()) return error;
    return words.empty() ? std::string() : Line(into, words).read();
}

}  // namespace

std::string Description::add_text(std::string_view text) {
    Description grown(*this);
    std::size_t number = 0;
    while (!text.empty()) {
        ++number;
        const std::size_t end = text.find('\n');
        const std::string why = read_line(grown, text.substr(0, end));
        if (!why.empty()) return "line " + std::to_string(number) + ": " + why;
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    }
    *this = std::move(grown);
    return {};
}

}  // namespace haigha::topology
