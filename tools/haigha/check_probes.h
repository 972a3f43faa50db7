// What `haigha check` tries, in groups. A probe returns what there is to say when all went well,
// and throws a Failure when not.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "probe_scope.h"

namespace tool {

struct Probe {
    std::string name;
    bool required = true;         // of every broker that we call good; else "no" is an answer
    bool own_connection = false;  // a broker may end the connection over it
    std::function<std::string(ProbeScope&)> run;
};

std::vector<Probe> table_probes();
std::vector<Probe> property_probes(const std::string& user);
std::vector<Probe> publishing_probes();
std::vector<Probe> consuming_probes();
std::vector<Probe> topology_probes();

enum class FieldMatch {
    in_order,   // one by one, as in an array
    by_name,    // in any order: RabbitMQ 4 sorts the headers of a message
    sent_only,  // the same, and whatever was added on the way
};

// What differs between two tables, as a path and both values; empty when nothing does. INT64_L,
// that the library writes as INT64, is the same as that. What is nested in them is compared in
// order.
std::string table_difference(haigha_cursor sent, haigha_cursor got, FieldMatch match);

}  // namespace tool
