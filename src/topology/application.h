// A description, compared with what a broker has, and applied to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/ref.h"
#include "client/channel.h"
#include "client/connection.h"
#include "topology/description.h"

namespace haigha::topology {

enum class EntityKind : std::uint8_t { exchange = 1, queue, queue_binding, exchange_binding };
enum class EntityState : std::uint8_t { unknown, exists, missing, created, differs, failed };

struct ReportRow {
    EntityKind kind = EntityKind::exchange;
    EntityState state = EntityState::unknown;
    std::string name;
    std::string source{};
    std::string routing_key{};
    ErrorRef error{};
};
using Report = std::vector<ReportRow>;

// One comparison or application. Waits for the broker's answers, on a thread that is not the
// loop's, on channels of its own: what the broker refuses costs a channel, and the next one is
// opened.
class Application {
  public:
    Application(const Description& description, client::Connection& connection,
                std::int64_t timeout_ms);
    ~Application();
    Application(const Application&) = delete;
    Application& operator=(const Application&) = delete;

    // Null, or why not everything could be asked.
    ErrorRef compare();
    // Null when everything is as described; anyway: or as much of it as does not differ.
    ErrorRef apply(bool anyway);

    const Report& report() const { return report_; }

  private:
    template <class Method>
    ErrorRef call(const Method& method);
    ErrorRef open_channel();
    void close_channel();
    std::int64_t left_ms() const;  // of the time for all of it
    // What an answer says of the connection, or of the time that is left: nothing more can be
    // asked.
    static bool is_final(const ErrorRef& error);
    static bool is_about(const ErrorRef& error, std::uint16_t class_id);
    template <class Entity>
    ErrorRef compare_one(const Entity& entity, ReportRow& row);
    void compare_binding(const BindingDescription& binding, ReportRow& row) const;
    EntityState state_of(EntityKind kind, const std::string& name) const;
    // Declares or binds it.
    template <class Method>
    ErrorRef create(const Method& method, ReportRow& row);
    ErrorRef first_difference() const;
    template <class Work>
    ErrorRef each(Work work);

    const Description& description_;
    client::Connection& connection_;
    const Instant deadline_;
    Ref<client::Channel> channel_;
    Report report_;
};

}  // namespace haigha::topology
