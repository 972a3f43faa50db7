#include "client/then.h"

namespace haigha::client {

constinit thread_local int Offer::level_ = -1;

}  // namespace haigha::client
