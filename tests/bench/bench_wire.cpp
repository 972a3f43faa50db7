#include "bench_wire.h"

#include <openssl/pem.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>

#include "support/certificates.h"

namespace bench {

TlsContext make_tls_server() {
    // OpenSSL writes without MSG_NOSIGNAL; this process is the benchmark's alone.
    std::signal(SIGPIPE, SIG_IGN);
    TlsContext context(SSL_CTX_new(TLS_server_method()));
    const haigha::test::Identity identity = haigha::test::Authority::self_signed({});
    BIO* bio =
        BIO_new_mem_buf(identity.cert_pem.data(), static_cast<int>(identity.cert_pem.size()));
    X509* cert = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    bio = BIO_new_mem_buf(identity.key_pem.data(), static_cast<int>(identity.key_pem.size()));
    EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    SSL_CTX_use_certificate(context.get(), cert);
    SSL_CTX_use_PrivateKey(context.get(), key);
    X509_free(cert);
    EVP_PKEY_free(key);
    return context;
}

TlsContext make_tls_client() {
    std::signal(SIGPIPE, SIG_IGN);
    return TlsContext(SSL_CTX_new(TLS_client_method()));
}

Wire::Wire(int fd, SSL_CTX* context) : fd_(fd) {
    if (context == nullptr) return;
    ssl_.reset(SSL_new(context));
    SSL_set_fd(ssl_.get(), fd_);
    const bool server = SSL_CTX_get0_certificate(context) != nullptr;
    good_ = (server ? SSL_accept(ssl_.get()) : SSL_connect(ssl_.get())) == 1;
}

Wire::~Wire() {
    if (ssl_ && good_) {
        SSL_shutdown(ssl_.get());
        // Session tickets that nobody has read would make the close a reset, which takes what the
        // other end has not read yet with it.
        ::shutdown(fd_, SHUT_WR);
        char rest[4096];
        while (::recv(fd_, rest, sizeof rest, 0) > 0) {
        }
    }
    ::close(fd_);
}

ssize_t Wire::receive(void* into, std::size_t size) {
    if (ssl_) {
        return SSL_read(ssl_.get(), into, static_cast<int>(std::min<std::size_t>(size, INT_MAX)));
    }
    while (true) {
        const ssize_t got = ::recv(fd_, into, size, 0);
        if (got >= 0 || errno != EINTR) return got;
    }
}

ssize_t Wire::send(const void* from, std::size_t size) {
    if (ssl_) {
        return SSL_write(ssl_.get(), from, static_cast<int>(std::min<std::size_t>(size, INT_MAX)));
    }
    while (true) {
        const ssize_t sent = ::send(fd_, from, size, MSG_NOSIGNAL);
        if (sent >= 0 || errno != EINTR) return sent;
    }
}

bool Wire::send_all(const void* from, std::size_t size) {
    const auto* at = static_cast<const char*>(from);
    while (size > 0) {
        const ssize_t sent = send(at, size);
        if (sent <= 0) return false;
        at += sent;
        size -= static_cast<std::size_t>(sent);
    }
    return true;
}

}  // namespace bench
