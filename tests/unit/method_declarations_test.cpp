// Compares every method's declaration with the protocol's XML (Debian package amqp-specs).
#include "wire/method_declarations.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "wire/method_codec.h"
#include "wire/method_table.h"

namespace haigha::wire {
namespace {

constexpr const char* specification =
    "/usr/share/amqp/specs/0-9-1-rabbit/amqp0-9-1.stripped.extended.xml";

// One method in one line, which both sides are brought to: "50.41 queue.delete-ok
// (message_count:long)", "60.70 basic.get -> get-ok get-empty (...)", with "content" before the
// fields where content follows.
using Lines = std::map<std::string, std::string>;

// Part of no XML. connection.* are RabbitMQ's later methods; access.* are of AMQP 0-8, and RabbitMQ
// still answers them.
const Lines later_methods{
    {"connection.blocked", "10.60 connection.blocked (reason:shortstr)"},
    {"connection.unblocked", "10.61 connection.unblocked ()"},
    {"connection.update-secret",
     "10.70 connection.update-secret -> update-secret-ok (new_secret:longstr reason:shortstr)"},
    {"connection.update-secret-ok", "10.71 connection.update-secret-ok ()"},
    {"access.request",
     "30.10 access.request -> request-ok (realm:shortstr exclusive:bit passive:bit active:bit "
     "write:bit read:bit)"},
    {"access.request-ok", "30.11 access.request-ok (ticket:short)"},
};

template <class Value>
std::string_view type_name(const Value&) {
    if constexpr (std::is_same_v<Value, bool>) return "bit";
    if constexpr (std::is_same_v<Value, std::uint8_t>) return "octet";
    if constexpr (std::is_same_v<Value, std::uint16_t>) return "short";
    if constexpr (std::is_same_v<Value, std::uint32_t>) return "long";
    if constexpr (std::is_same_v<Value, std::uint64_t>) return "longlong";
    if constexpr (std::is_same_v<Value, ShortString>) return "shortstr";
    if constexpr (std::is_same_v<Value, LongString>) return "longstr";
    if constexpr (std::is_same_v<Value, TableBytes>) return "table";
    return "unknown";
}

std::string start_of_line(const std::string& ids, const std::string& name,
                          const std::vector<std::string>& replies, bool content) {
    std::string line = ids + " " + name;
    if (!replies.empty()) line += " ->";
    for (const std::string& reply : replies)
        line += " " + reply;
    return line + (content ? " content (" : " (");
}

template <class Method>
std::string line_of(const Method& method) {
    std::vector<std::string> replies;
    for (const MethodId id : Method::replies) {
        if (id == MethodId{}) continue;
        const MethodInfo* reply = find_method(id);
        const std::string name = reply != nullptr ? std::string(reply->name) : "?.unknown";
        replies.push_back(name.substr(name.find('.') + 1));
    }
    EXPECT_EQ(Method::synchronous, !replies.empty()) << Method::name;
    std::string line = start_of_line(
        std::to_string(Method::id.class_id) + "." + std::to_string(Method::id.method_id),
        std::string(Method::name), replies, Method::has_content);
    std::size_t at = 0;
    auto visit = [&](const auto& field) {
        line += at == 0 ? "" : " ";
        line += field_names<Method>[at++];
        line += ":";
        line += type_name(field);
    };
    each_field(method, visit);
    return line + ")";
}

template <class... Methods>
Lines declared_lines(MethodList<Methods...>) {
    return {{std::string(Methods::name), line_of(Methods{})}...};
}

// As much XML as that file has: elements with quoted attributes, and comments. No entities, no
// text.
struct Tag {
    std::string name;  // "/method" at the end of an element
    std::map<std::string, std::string> attributes;
};

std::vector<Tag> tags_of(const std::string& xml) {
    std::vector<Tag> tags;
    for (std::size_t at = xml.find('<'); at != std::string::npos; at = xml.find('<', at)) {
        if (xml.compare(at, 4, "<!--") == 0) {
            at = xml.find("-->", at);
            continue;
        }
        std::size_t end = xml.find_first_of(" \t\r\n>", at);
        Tag tag{xml.substr(at + 1, end - at - 1), {}};
        for (;;) {
            at = xml.find_first_not_of(" \t\r\n/?", end);
            if (at == std::string::npos || xml[at] == '>') break;
            const std::size_t equals = xml.find('=', at);
            const std::size_t close = xml.find('"', equals + 2);
            tag.attributes[xml.substr(at, xml.find_first_of("= \t", at) - at)] =
                xml.substr(equals + 2, close - equals - 2);
            end = close + 1;
        }
        if (tag.name.ends_with('/')) tag.name.pop_back();
        tags.push_back(std::move(tag));
    }
    return tags;
}

std::string underscored(std::string name) {
    for (char& character : name) {
        if (character == '-') character = '_';
    }
    return name;
}

// What the declarations do otherwise than the XML, on purpose.
void correct(const std::string& method, std::vector<std::string>& replies, std::string& field) {
    // The XML names no response, but the specification's text and every broker give one.
    if (method == "basic.recover") replies = {"recover-ok"};
    // Spelled as in all other methods.
    if (method == "confirm.select" && field == "nowait") field = "no_wait";
}

Lines specified_lines(const std::string& xml, std::size_t& marked_synchronous) {
    Lines lines;
    std::map<std::string, std::string> domains;
    std::string class_name, class_id, name, ids, fields;
    std::vector<std::string> replies;
    bool content = false;
    bool inside = false;
    for (Tag& tag : tags_of(xml)) {
        if (tag.name == "domain") {
            domains[tag.attributes["name"]] = tag.attributes["type"];
        } else if (tag.name == "class") {
            class_name = tag.attributes["name"];
            class_id = tag.attributes["index"];
        } else if (tag.name == "method") {
            name = class_name + "." + tag.attributes["name"];
            ids = class_id + "." + tag.attributes["index"];
            content = tag.attributes["content"] == "1";
            if (tag.attributes["synchronous"] == "1") ++marked_synchronous;
            replies.clear();
            fields.clear();
            inside = true;
        } else if (tag.name == "response") {
            replies.push_back(tag.attributes["name"]);
        } else if (tag.name == "field" && inside) {  // those outside are message properties
            std::string field = underscored(tag.attributes["name"]);
            correct(name, replies, field);
            const std::string domain = tag.attributes["domain"];
            fields += (fields.empty() ? "" : " ") + field + ":" +
                      (domain.empty() ? tag.attributes["type"] : domains[domain]);
        } else if (tag.name == "/method") {
            lines[name] = start_of_line(ids, name, replies, content) + fields + ")";
            inside = false;
        }
    }
    return lines;
}

TEST(MethodDeclarations, AgreeWithTheProtocol) {
    std::ifstream file(specification);
    if (!file) {
        GTEST_SKIP() << specification
                     << " is missing: install Debian's package amqp-specs to compare the methods "
                        "with the protocol.";
    }
    const std::string xml{std::istreambuf_iterator<char>(file), {}};
    std::size_t marked_synchronous = 0;
    Lines specified = specified_lines(xml, marked_synchronous);
    ASSERT_EQ(specified.size(), 60U);
    ASSERT_GT(marked_synchronous, 40U);
    specified.insert(later_methods.begin(), later_methods.end());

    const Lines declared = declared_lines(AllMethods{});
    EXPECT_EQ(declared.size(), AllMethods::size);
    for (const auto& [name, line] : specified) {
        const auto found = declared.find(name);
        EXPECT_EQ(found == declared.end() ? "" : found->second, line);
    }
    for (const auto& [name, line] : declared) {
        EXPECT_TRUE(specified.contains(name)) << line;
    }
}

// Also without the XML.
TEST(MethodDeclarations, LaterMethodsAreAsRabbitMqSendsThem) {
    const Lines declared = declared_lines(AllMethods{});
    for (const auto& [name, line] : later_methods)
        EXPECT_EQ(declared.at(name), line);
}

}  // namespace
}  // namespace haigha::wire
