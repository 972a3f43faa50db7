// Tests of parse_hosts.
#include "client/host_list.h"

#include <gtest/gtest.h>

#include <string>

namespace haigha::client {
namespace {

std::string parsed(std::string_view text) {
    std::vector<HostAndPort> hosts;
    if (const ErrorRef error = parse_hosts(text, &hosts)) return "refused";
    std::string all;
    for (const HostAndPort& one : hosts)
        all += one.host + "|" + std::to_string(one.port) + " ";
    return all;
}

TEST(HostList, OneOrSeveral) {
    EXPECT_EQ(parsed("a"), "a|0 ");
    EXPECT_EQ(parsed("a:5673"), "a|5673 ");
    EXPECT_EQ(parsed("::1"), "::1|0 ");
    EXPECT_EQ(parsed("fe80::1%eth0"), "fe80::1%eth0|0 ");
    EXPECT_EQ(parsed("[::1]"), "::1|0 ");
    EXPECT_EQ(parsed("[::1]:5,b,c:65535"), "::1|5 b|0 c|65535 ");
}

TEST(HostList, RefusesWhatIsNone) {
    for (const char* const text : {"", ",", "a,", ",a", "a,,b", "a:0", "a:65536", "a:x", "a:1x",
                                   "[::1", "[::1]x", "[]", "a,::1", ":5672"}) {
        EXPECT_EQ(parsed(text), "refused") << text;
    }
    EXPECT_EQ(parsed(std::string(254, 'a')), "refused");
}

}  // namespace
}  // namespace haigha::client
