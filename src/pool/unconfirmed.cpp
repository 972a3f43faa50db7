#include "pool/unconfirmed.h"

#include "pool/pool_schedule.h"

namespace haigha::pool {

ErrorRef unconfirmed_error(const client::Event& outcome, const std::string& what) {
    const auto kind = static_cast<PoolOutcome>(outcome.outcome);
    if (outcome.error == nullptr) {
        return make_error(Status::returned, what + (kind == PoolOutcome::nacked
                                                        ? "the broker has refused it (basic.nack)"
                                                        : "its fate is not known"));
    }
    const Ref<Error> error = edit_error(*outcome.error);
    if (kind == PoolOutcome::returned) error->status = Status::returned;
    error->message = what + error->message;
    return ErrorRef(error.get());
}

}  // namespace haigha::pool
