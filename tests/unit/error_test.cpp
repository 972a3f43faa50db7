// Tests of Error: values that are copied whole, shared safely, and named.
#include "base/error.h"

#include <gtest/gtest.h>

#include <string>

namespace haigha {
namespace {

TEST(Error, HoldsWhatItWasMadeWith) {
    const ErrorRef error = make_error(Status::timeout, "too late", Stage::open);
    EXPECT_EQ(error->status, Status::timeout);
    EXPECT_EQ(error->message, "too late");
    EXPECT_EQ(error->stage, Stage::open);
    EXPECT_EQ(error->reply_code, 0);
    EXPECT_STREQ(error->method_name, "");
}

// rule 117: a value of its own, whatever becomes of the first
TEST(Error, IsCopiedWholeForEditing) {
    Ref<Error> first = edit_error(*make_error(Status::io, "m", Stage::connect));
    first->reply_code = 320;
    first->reply_text = "FORCED";
    first->class_id = 10;
    first->method_id = 40;
    first->method_name = "connection.open";
    first->channel_id = 7;
    first->host = "h:1";
    first->os_errno = 104;
    const Ref<Error> copy = edit_error(*first);
    first = nullptr;
    EXPECT_EQ(copy->status, Status::io);
    EXPECT_EQ(copy->stage, Stage::connect);
    EXPECT_EQ(copy->message, "m");
    EXPECT_EQ(copy->reply_code, 320);
    EXPECT_EQ(copy->reply_text, "FORCED");
    EXPECT_EQ(copy->class_id, 10);
    EXPECT_EQ(copy->method_id, 40);
    EXPECT_STREQ(copy->method_name, "connection.open");
    EXPECT_EQ(copy->channel_id, 7);
    EXPECT_EQ(copy->host, "h:1");
    EXPECT_EQ(copy->os_errno, 104);
}

TEST(Error, NamesEveryStatusAndStage) {
    for (const int code : {0,   -1,   -2,   -3,   -4,   -5,   -6,   -7,   -8,   -9,   -10,
                           -11, -100, -101, -102, -103, -104, -105, -106, -107, -108, -900}) {
        const std::string name = status_name(static_cast<Status>(code));
        EXPECT_TRUE(name.starts_with("HAIGHA_")) << code;
        EXPECT_NE(name, "HAIGHA_ERR_UNKNOWN") << code;
    }
    EXPECT_STREQ(status_name(static_cast<Status>(-12345)), "HAIGHA_ERR_UNKNOWN");
    for (int stage = 1; stage <= 6; ++stage)
        EXPECT_STRNE(stage_name(static_cast<Stage>(stage)), "");
    EXPECT_STREQ(stage_name(static_cast<Stage>(99)), "");
}

}  // namespace
}  // namespace haigha
