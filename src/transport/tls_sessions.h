// TLS sessions to resume: whoever connects again to the same broker, with the same settings, spares
// both sides the certificates and their verification.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>

struct ssl_session_st;  // SSL_SESSION, of a header that is too large for this one

namespace haigha::transport {

// Of one loop and its thread. A key names everything that a session was verified for.
class TlsSessions {
  public:
    static constexpr std::size_t capacity = 32;

    struct Free {
        void operator()(ssl_session_st* session) const;
    };
    using Session = std::unique_ptr<ssl_session_st, Free>;

    // What was kept last, or null. It is gone from here: a ticket is for one use (RFC 8446, C.4),
    // and what a handshake fails with is not tried again.
    Session take(const std::string& key);
    // In place of what has the same key; beyond the capacity the oldest goes.
    void keep(const std::string& key, Session session);

  private:
    struct Kept {
        std::string key;
        Session session;
    };
    std::list<Kept> kept_;  // the newest first
};

}  // namespace haigha::transport
