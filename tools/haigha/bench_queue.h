// The queue that a benchmark goes through.
#pragma once

#include <string>

#include "bench_options.h"
#include "owned_handles.h"
#include "session.h"

namespace tool {

// Without --queue one of our own that is gone afterwards; with it the one that is named, which is
// declared durable if there is none, and stays.
class BenchQueue {
  public:
    BenchQueue(const BenchOptions& options, const Session& session);

    const std::string& name() const noexcept { return name_; }
    // "durable queue x"
    std::string description() const { return kind_ + " queue " + name_; }
    // Deletes it if it is ours.
    void remove();

  private:
    void declare(const BenchOptions& options, bool durable, bool ours);
    bool exists(const Session& session) const;

    std::string name_;
    std::string kind_;
    bool ours_;
    std::int64_t timeout_ms_;
    ChannelHandle channel_;
};

}  // namespace tool
