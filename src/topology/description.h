// Exchanges, queues and bindings that somebody wants to be there.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "wire/methods_exchange.h"
#include "wire/methods_queue.h"

namespace haigha::topology {

using Contents = std::vector<std::byte>;  // of a table of arguments

struct ExchangeDescription {
    std::string name;
    std::string type;
    bool durable = false;
    bool auto_delete = false;
    bool internal = false;
    Contents arguments{};

    bool operator==(const ExchangeDescription&) const = default;
    wire::exchange::Declare declare(bool passive) const;  // borrows
};

struct QueueDescription {
    std::string name;
    bool durable = false;
    bool exclusive = false;
    bool auto_delete = false;
    Contents arguments{};

    bool operator==(const QueueDescription&) const = default;
    wire::queue::Declare declare(bool passive) const;
};

struct BindingDescription {
    bool to_queue = true;  // else to an exchange
    std::string destination;
    std::string source;
    std::string routing_key{};
    Contents arguments{};

    bool operator==(const BindingDescription&) const = default;
    wire::queue::Bind queue_bind() const;
    wire::exchange::Bind exchange_bind() const;
};

// Each in the order in which it was added; the same again is nothing new. What `add` returns says
// why it was not added, and is empty when it was.
class Description {
  public:
    std::string add(ExchangeDescription exchange);
    std::string add(QueueDescription queue);
    std::string add(BindingDescription binding);
    // Lines of text, see topology.h of the C API; all of them or none.
    std::string add_text(std::string_view text);

    const std::vector<ExchangeDescription>& exchanges() const { return exchanges_; }
    const std::vector<QueueDescription>& queues() const { return queues_; }
    const std::vector<BindingDescription>& bindings() const { return bindings_; }

  private:
    std::vector<ExchangeDescription> exchanges_;
    std::vector<QueueDescription> queues_;
    std::vector<BindingDescription> bindings_;
};

}  // namespace haigha::topology
