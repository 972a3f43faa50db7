// amqp:// URIs: one that is refused changes nothing, no error repeats a password, and options that
// were read can be told as a URI.
//
// An even first octet: the rest is a URI. An odd one: the rest is user, password and what follows,
// separated by NULs, of which a URI is made whose password begins with a mark.
#include <string>
#include <string_view>

#include "client/amqp_uri.h"
#include "client/option_table.h"
#include "fuzz_target.h"
#include "wire/cursor.h"

namespace haigha::fuzz {
namespace {

using client::OptionRow;
using client::Options;

constexpr std::string_view mark = "s3cr3t-m4rk";

// What is in the options is what their table allows.
void require_valid(const Options& options) {
    for (const OptionRow& row : client::option_rows()) {
        Options copy = options;
        if (row.text != nullptr) {
            // The defaults of some are shorter than what may be set.
            if ((options.*row.text).empty()) continue;
            require(!client::set_option(copy, row.name, std::string_view(options.*row.text)),
                    "a text that was set could be set");
        } else {
            require(!client::set_option(copy, row.name, options.*row.number),
                    "a number that was set could be set");
        }
    }
}

void require_same(const Options& left, const Options& right, const char* what) {
    for (const OptionRow& row : client::option_rows()) {
        const bool same = row.text != nullptr ? left.*row.text == right.*row.text
                                              : left.*row.number == right.*row.number;
        require(same, what);
    }
}

void require_told_as_uri(const Options& options) {
    Options again;
    require(!client::apply_uri(again, client::uri_of(options, true)),
            "the URI of options can be read");
    require_same(options, again, "the URI of options makes the same options");
    require(!client::apply_uri(again, client::uri_of(options, false)),
            "the URI of options without secrets can be read");
}

ErrorRef read(std::string_view uri, Options& options) {
    const Options before = options;
    ErrorRef error = client::apply_uri(options, uri);
    if (error) {
        require(error->status == Status::argument || error->status == Status::unsupported,
                "a URI is refused with a status that is documented");
        require(!error->message.empty(), "a refusal says why");
        require_same(before, options, "a URI that is refused changes nothing");
    } else {
        require_valid(options);
        require_told_as_uri(options);
    }
    return error;
}

std::string_view until_nul(std::string_view& text) {
    const std::size_t end = std::min(text.find('\0'), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
}

void apply_with_password(std::string_view parts) {
    if (parts.find(mark) != std::string_view::npos) return;  // it would be elsewhere too
    std::string uri = "amqp://";
    uri += until_nul(parts);
    uri += ':';
    uri += mark;
    uri += until_nul(parts);
    uri += '@';
    uri += parts;
    Options options;
    const ErrorRef error = read(uri, options);
    require(client::uri_of(options, false).find(mark) == std::string::npos,
            "a URI without secrets has no password");
    if (error) {
        require(error->message.find(mark) == std::string::npos, "an error repeats no password");
        require(error->reply_text.empty() && error->host.empty(), "an error repeats no URI");
    }
}

}  // namespace
}  // namespace haigha::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace haigha;
    fuzz::Input input(data, size);
    const bool made = input.flag();
    const std::string_view text = wire::as_text(input.rest());
    if (made) {
        fuzz::apply_with_password(text);
        return 0;
    }
    client::Options options;
    (void)fuzz::read(text, options);
    // Once more, over what the first time has set.
    (void)fuzz::read(text, options);
    return 0;
}
