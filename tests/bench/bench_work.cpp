#include "bench_work.h"

#include "bench_peer.h"

namespace bench {

const char* name_of(Work work) {
    switch (work) {
        case Work::publish:
            return "publish";
        case Work::publish_confirm:
            return "publish+confirm";
        case Work::consume:
            return "consume";
        case Work::consume_ack:
            return "consume+ack";
    }
    return "";
}

bool publishes(Work work) {
    return work == Work::publish || work == Work::publish_confirm;
}

Figures measure(std::uint64_t count, const std::function<void()>& work) {
    const double cpu = cpu_seconds();
    const double wall = wall_seconds();
    work();
    const auto messages = static_cast<double>(count);
    Figures figures;
    figures.cpu_us = (cpu_seconds() - cpu) / messages * 1e6;
    figures.rate = messages / (wall_seconds() - wall);
    return figures;
}

}  // namespace bench
