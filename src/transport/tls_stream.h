// TLS over a socket: a stream whose octets are encrypted on the way, by OpenSSL on our own reads
// and writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ref.h"
#include "transport/socket_stream.h"
#include "transport/stream.h"
#include "transport/tls_context.h"
#include "transport/tls_sessions.h"

namespace haigha::transport {

class TlsStream final : public Stream {
  public:
    // Takes the descriptor over. `endpoint`: whose sessions may be resumed; `sessions` outlive it.
    TlsStream(Loop& loop, int fd, Ref<const TlsContext> context, std::string peer_name,
              const std::string& endpoint, TlsSessions& sessions, Ready ready);
    ~TlsStream() override;
    TlsStream(const TlsStream&) = delete;
    TlsStream& operator=(const TlsStream&) = delete;

    int handshake() override;
    void watch(bool readable, bool writable) override;
    Result read(std::span<std::byte> into) override;
    Result write(std::span<const iovec> from) override;
    int fd() const override { return socket_.fd(); }
    bool more() const override { return more_; }
    bool unsent() const override { return sent_ < out_.size(); }
    ErrorRef failure() const override { return failure_; }
    std::vector<StreamFact> facts() const override;

  private:
    struct BioCalls;

    void on_ready(bool readable, bool writable);
    void rewatch();
    void keep_session();
    bool flush();
    // What SSL_get_error says of a call that did not succeed: 0 when it is to be called again.
    int failed(int returned, const char* doing);
    static int on_verified(int good, X509_STORE_CTX* store);
    ErrorRef describe(const char* doing) const;

    const Ref<const TlsContext> context_;
    const std::string peer_name_;
    TlsSessions& sessions_;
    const std::string session_key_;  // empty: none is resumed
    Ready ready_;
    SocketStream socket_;
    TlsContext::SslPtr ssl_;
    bool connected_ = false;
    bool more_ = false;
    bool watch_readable_ = false;
    bool watch_writable_ = false;
    bool ended_ = false;    // the peer has finished
    int socket_error_ = 0;  // the errno that ended the socket
    int error_ = 0;         // what every call returns from now on
    ErrorRef failure_;
    std::string refused_;  // why the peer's certificate was refused
    // Encrypted, [sent_, size) is not yet written. Bounded: nothing is encrypted while it is long.
    std::vector<std::byte> out_;
    std::size_t sent_ = 0;
};

}  // namespace haigha::transport
