// The private broker of a storm, of one node or of three: tools/broker, whose path is in
// HAIGHA_BROKER_TOOL. It ends with this process at the latest.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace haigha::storm {

class StormBrokers {
  public:
    explicit StormBrokers(unsigned nodes);
    ~StormBrokers();
    StormBrokers(const StormBrokers&) = delete;
    StormBrokers& operator=(const StormBrokers&) = delete;

    static bool available();
    bool start();
    unsigned nodes() const { return static_cast<unsigned>(names_.size()); }
    std::uint16_t port(unsigned node) const { return ports_.at(node); }
    // With its data, on its port.
    bool start_again(unsigned node);
    void kill(unsigned node);
    void stop(unsigned node);
    // What rabbitmqctl prints.
    std::string ctl(unsigned node, const std::string& arguments);

  private:
    std::vector<std::string> names_;
    std::vector<std::uint16_t> ports_;
};

}  // namespace haigha::storm
