// A TLS server in front of a plain port: it secures what comes with certificates of the test's
// choice and passes it on. For what a real broker's listener would have to be configured anew.
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/certificates.h"

namespace haigha::test {

struct TlsFrontOptions {
    Identity identity;
    std::string client_ca_pem;  // when set, clients need a certificate that it signed
    int min_version = TLS1_2_VERSION;
    int max_version = TLS1_3_VERSION;
    std::size_t record_size = 16 * 1024;  // the most that one record to the client holds
    std::size_t key_update_every = 0;     // records to the client between two KeyUpdates; 0: none
    int socket_buffer = 0;                // of the client's side, in bytes
    bool tickets = true;                  // with which sessions are resumed
    bool loopback6 = false;               // listens on ::1, otherwise on 127.0.0.1
};

class TlsFront {
  public:
    TlsFront(TlsFrontOptions options, int target_port);
    ~TlsFront();
    TlsFront(const TlsFront&) = delete;
    TlsFront& operator=(const TlsFront&) = delete;

    int port() const { return port_; }
    std::size_t accepted() const { return accepted_; }
    // Handshakes that succeeded, and what each client said of itself: its SNI ("-": none) and
    // the common name of its certificate ("-").
    std::vector<std::string> clients() const;

  private:
    struct FreeContext {
        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    };

    void run();
    void serve(int fd);
    void pump(SSL* ssl, int client, int target);

    const TlsFrontOptions options_;
    const int target_port_;
    std::unique_ptr<SSL_CTX, FreeContext> context_;
    int fd_ = -1;
    int port_ = 0;
    std::atomic<bool> stopping_{false};
    std::atomic<std::size_t> accepted_{0};
    mutable std::mutex mutex_;
    std::vector<std::string> clients_;
    std::vector<std::thread> servers_;
    std::thread thread_;
};

}  // namespace haigha::test
