// The system's trusted certificates, read once for all connections of a loop: they are some 140,
// take most of a megabyte and milliseconds to decode.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <mutex>
#include <string>

namespace haigha::transport {

// May be used from any thread.
class TlsTrust {
  public:
    struct Free {
        void operator()(X509_STORE* store) const;
    };
    using Store = std::unique_ptr<X509_STORE, Free>;

    // A share of them; not to be changed. Null when they cannot be had: OpenSSL's error queue says
    // why. Read again when where they are, or what was last written there, is another than before.
    Store system();
    // The same, of one's own.
    static Store read_system();

  private:
    std::mutex mutex_;
    std::string read_from_;
    Store store_;
};

}  // namespace haigha::transport
