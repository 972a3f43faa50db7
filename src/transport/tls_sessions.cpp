#include "transport/tls_sessions.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <utility>

namespace haigha::transport {

void TlsSessions::Free::operator()(SSL_SESSION* session) const {
    SSL_SESSION_free(session);
}

TlsSessions::Session TlsSessions::take(const std::string& key) {
    const auto found =
        std::find_if(kept_.begin(), kept_.end(), [&](const Kept& one) { return one.key == key; });
    if (found == kept_.end()) return nullptr;
    Session session = std::move(found->session);
    kept_.erase(found);
    return session;
}

void TlsSessions::keep(const std::string& key, Session session) {
    (void)take(key);
    kept_.push_front({key, std::move(session)});
    if (kept_.size() > capacity) kept_.pop_back();
}

}  // namespace haigha::transport
