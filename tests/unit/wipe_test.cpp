// Tests of wipe: nothing of a secret is left in the string's memory.
#include "base/wipe.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace haigha {
namespace {

void expect_zeros(const std::string& text) {
    // Its memory stays its own up to the capacity.
    const char* const memory = text.data();
    for (std::size_t i = 0; i <= text.capacity(); ++i)
        ASSERT_EQ(memory[i], '\0') << i;
}

TEST(Wipe, ClearsLongAndShortOnes) {
    for (const std::size_t size : {0, 1, 15, 16, 4000}) {
        std::string secret(size, 's');
        wipe(secret);
        EXPECT_TRUE(secret.empty());
        expect_zeros(secret);
    }
}

TEST(Wipe, ClearsWhatWasLongerBefore) {
    std::string secret(100, 's');
    secret.resize(3);
    wipe(secret);
    expect_zeros(secret);
}

TEST(Wipe, ClearsWhatAMoveLeft) {
    std::string secret = "short";
    const std::string taken = std::move(secret);
    wipe(secret);  // NOLINT(bugprone-use-after-move): that is the point
    expect_zeros(secret);
    EXPECT_EQ(taken, "short");
}

}  // namespace
}  // namespace haigha
