// The handles of topology.h, which are objects of the C API's own.
#pragma once

#include <utility>

#include "haigha/topology.h"
#include "topology/application.h"
#include "topology/description.h"

struct haigha_topology {
    haigha::topology::Description description;
};
struct haigha_topology_report {
    haigha::topology::Report rows;
};
