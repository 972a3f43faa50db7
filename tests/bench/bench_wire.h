// A connected socket of the benchmark's own, plain or with bare TLS over it.
#pragma once

#include <openssl/ssl.h>
#include <sys/types.h>

#include <cstddef>
#include <memory>

namespace bench {

struct FreeTls {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using TlsContext = std::unique_ptr<SSL_CTX, FreeTls>;

// With a certificate of its own; and one that believes any.
TlsContext make_tls_server();
TlsContext make_tls_client();

class Wire {
  public:
    // Takes the descriptor over. Without a context the wire is plain; with one it shakes hands.
    explicit Wire(int fd, SSL_CTX* context = nullptr);
    ~Wire();
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;

    bool good() const { return good_; }
    int fd() const { return fd_; }
    // Whether octets wait that the descriptor does not tell of.
    bool pending() const { return ssl_ && SSL_pending(ssl_.get()) > 0; }
    // As recv(2) and send(2) do it, without interruptions and signals.
    ssize_t receive(void* into, std::size_t size);
    ssize_t send(const void* from, std::size_t size);
    // False when the other end is gone.
    bool send_all(const void* from, std::size_t size);

  private:
    int fd_;
    std::unique_ptr<SSL, FreeTls> ssl_;
    bool good_ = true;
};

}  // namespace bench
