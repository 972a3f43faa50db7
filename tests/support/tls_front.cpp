#include "support/tls_front.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <stdexcept>

#include "support/loopback.h"

namespace haigha::test {

namespace {

X509* cert_of(const std::string& pem) {
    BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    X509* cert = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    return cert;
}

int connect_to(int port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect_to_loopback(fd, port) == 0) return fd;
    ::close(fd);
    return -1;
}

// As much of it as goes at once; false at an end.
bool send_some(int fd, std::string& from) {
    const ssize_t sent = ::send(fd, from.data(), from.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) from.erase(0, static_cast<std::size_t>(sent));
    return sent > 0 || errno == EAGAIN;
}

}  // namespace

TlsFront::TlsFront(TlsFrontOptions options, int target_port)
    : options_(std::move(options)),
      target_port_(target_port),
      context_(SSL_CTX_new(TLS_server_method())) {
    SSL_CTX* const context = context_.get();
    SSL_CTX_set_min_proto_version(context, options_.min_version);
    SSL_CTX_set_max_proto_version(context, options_.max_version);
    X509* const cert = cert_of(options_.identity.cert_pem);
    BIO* bio = BIO_new_mem_buf(options_.identity.key_pem.data(),
                               static_cast<int>(options_.identity.key_pem.size()));
    EVP_PKEY* const key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    const bool usable =
        SSL_CTX_use_certificate(context, cert) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1;
    X509_free(cert);
    EVP_PKEY_free(key);
    if (!usable) throw std::runtime_error("TlsFront: the certificate cannot be used");
    const unsigned char id[] = "front";
    SSL_CTX_set_session_id_context(context, id, sizeof id);
    if (!options_.tickets) {
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(context, 0);
    }
    if (!options_.client_ca_pem.empty()) {
        X509* const ca = cert_of(options_.client_ca_pem);
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca);
        X509_free(ca);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }

    fd_ = ::socket(options_.loopback6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_storage address{};
    socklen_t size = sizeof(sockaddr_in);
    if (options_.loopback6) {
        auto& six = reinterpret_cast<sockaddr_in6&>(address);
        six.sin6_family = AF_INET6;
        six.sin6_addr = in6addr_loopback;
        size = sizeof(sockaddr_in6);
    } else {
        auto& four = reinterpret_cast<sockaddr_in&>(address);
        four.sin_family = AF_INET;
        four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(fd_, any, size) != 0 || ::listen(fd_, 64) != 0 ||
        ::getsockname(fd_, any, &size) != 0) {
        throw std::runtime_error("TlsFront: cannot listen");
    }
    // Both families have their port in the same place.
    port_ = ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
    thread_ = std::thread([this] { run(); });
}

TlsFront::~TlsFront() {
    stopping_ = true;
    thread_.join();
    for (std::thread& server : servers_)
        server.join();
    ::close(fd_);
}

std::vector<std::string> TlsFront::clients() const {
    const std::lock_guard lock(mutex_);
    return clients_;
}

void TlsFront::run() {
    while (!stopping_) {
        pollfd waiting{fd_, POLLIN, 0};
        if (::poll(&waiting, 1, 20) <= 0) continue;
        const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) continue;
        ++accepted_;
        servers_.emplace_back([this, fd] { serve(fd); });
    }
}

void TlsFront::serve(int fd) {
    // OpenSSL writes without MSG_NOSIGNAL; the test's own disposition is not touched.
    sigset_t pipe_only;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, nullptr);
    if (options_.socket_buffer > 0) {
        ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &options_.socket_buffer, sizeof(int));
        ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &options_.socket_buffer, sizeof(int));
    }
    // A client that says nothing must not keep the test from ending.
    const timeval patience{10, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    SSL* const ssl = SSL_new(context_.get());
    SSL_set_fd(ssl, fd);
    // A record without data, such as the answer to a KeyUpdate, must not make a read wait for more.
    SSL_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
    if (SSL_accept(ssl) == 1) {
        const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        std::string client = name != nullptr ? name : "-";
        char common_name[128] = "-";
        if (X509* const cert = SSL_get0_peer_certificate(ssl)) {
            X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, common_name,
                                      sizeof common_name);
        }
        client += std::string(" ") + common_name;
        {
            const std::lock_guard lock(mutex_);
            clients_.push_back(client);
        }
        const int target = connect_to(target_port_);
        if (target >= 0) {
            pump(ssl, fd, target);
            ::close(target);
        }
        SSL_shutdown(ssl);
    }
    ERR_clear_error();
    SSL_free(ssl);
    // What the client has sent meanwhile would make the close a reset, which takes the alert with
    // it.
    ::shutdown(fd, SHUT_WR);
    char rest[4096];
    while (::recv(fd, rest, sizeof rest, 0) > 0) {
    }
    ::close(fd);
}

// Passes on what is there, in both directions, until an end.
void TlsFront::pump(SSL* ssl, int client, int target) {
    std::vector<char> buffer(options_.record_size);
    std::size_t records = 0;
    std::string waiting;  // for the target, which may be waiting for us
    while (!stopping_) {
        const short target_events = static_cast<short>(POLLIN | (waiting.empty() ? 0 : POLLOUT));
        pollfd fds[2] = {{client, POLLIN, 0}, {target, target_events, 0}};
        if (SSL_pending(ssl) == 0 && ::poll(fds, 2, 20) <= 0) continue;
        if (SSL_pending(ssl) > 0 || fds[0].revents != 0) {
            char part[16 * 1024];
            const int size = SSL_read(ssl, part, sizeof part);
            if (size <= 0 && SSL_get_error(ssl, size) == SSL_ERROR_WANT_READ) continue;
            if (size <= 0) return;
            waiting.append(part, static_cast<std::size_t>(size));
        }
        if (!waiting.empty() && !send_some(target, waiting)) return;
        if ((fds[1].revents & ~POLLOUT) != 0) {
            const ssize_t size = ::recv(target, buffer.data(), buffer.size(), 0);
            if (size <= 0) return;
            if (options_.key_update_every > 0 && ++records % options_.key_update_every == 0) {
                SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
            }
            if (SSL_write(ssl, buffer.data(), static_cast<int>(size)) <= 0) return;
        }
    }
}

}  // namespace haigha::test
