#include "transport/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace haigha::transport {

namespace {

// Written when this much is encrypted, so that a system call carries several records.
constexpr std::size_t flush_at = 64 * 1024;
// Of what OpenSSL reads ahead of the record it works on.
constexpr std::size_t read_buffer = 64 * 1024;

std::string name_text(const X509_NAME* name) {
    char text[256] = "";
    X509_NAME_oneline(name, text, sizeof text);
    return text;
}

std::string time_text(const ASN1_TIME* time) {
    tm broken{};
    char text[32] = "";
    if (ASN1_TIME_to_tm(time, &broken) != 1) return "?";
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &broken);
    return text;
}

// "DNS:localhost, IP:127.0.0.1": what a certificate is for.
std::string names_text(X509* cert) {
    struct FreeNames {
        void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
    };
    const std::unique_ptr<GENERAL_NAMES, FreeNames> names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(cert, NID_subject_alt_name, nullptr, nullptr)));
    std::string text;
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()) && text.size() < 512; ++i) {
        const GENERAL_NAME* one = sk_GENERAL_NAME_value(names.get(), i);
        std::string shown;
        if (one->type == GEN_DNS) {
            const auto* octets = ASN1_STRING_get0_data(one->d.dNSName);
            const auto size = static_cast<std::size_t>(ASN1_STRING_length(one->d.dNSName));
            shown = "DNS:" + std::string(reinterpret_cast<const char*>(octets), size);
            // It is the peer's, and goes into a sentence.
            std::replace_if(
                shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
        } else if (one->type == GEN_IPADD) {
            const auto* octets = ASN1_STRING_get0_data(one->d.iPAddress);
            const int size = ASN1_STRING_length(one->d.iPAddress);
            char address[INET6_ADDRSTRLEN] = "?";
            if (size == 4 || size == 16) {
                ::inet_ntop(size == 4 ? AF_INET : AF_INET6, octets, address, sizeof address);
            }
            shown = std::string("IP:") + address;
        } else {
            continue;
        }
        text += (text.empty() ? "" : ", ") + shown;
    }
    return text.empty() ? "no name" : text;
}

std::string session_key(const TlsContext& context, const std::string& peer_name,
                        const std::string& endpoint) {
    if (context.fingerprint().empty()) return {};
    return context.fingerprint() + std::to_string(peer_name.size()) + ':' + peer_name + endpoint;
}

// What a person can do about a certificate that was refused.
std::string advice(int verdict, X509* cert, const std::string& peer_name) {
    switch (verdict) {
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            return ": it is for " + names_text(cert) + ", not for \"" + peer_name +
                   "\"; connect by one of its names, or set the option " + "server_name_indication";
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return ": its validity ended on " + time_text(X509_get0_notAfter(cert));
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return ": its validity begins on " + time_text(X509_get0_notBefore(cert));
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return ": no trusted CA has signed it; give the broker's CA as the option cacertfile";
        default:
            return "";
    }
}

}  // namespace

// OpenSSL's view of the socket. Writing only collects, so no call of OpenSSL's ever stops in the
// middle of a record (rule 94).
struct TlsStream::BioCalls {
    static const BIO_METHOD* method() {
        // The table of functions is the same for all, and made once.
        static const BIO_METHOD* const made = [] {
            BIO_METHOD* calls = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "haigha");
            if (calls == nullptr) return calls;
            BIO_meth_set_read(calls, &read);
            BIO_meth_set_write(calls, &write);
            BIO_meth_set_ctrl(calls, &control);
            return calls;
        }();
        return made;
    }

    static int read(BIO* bio, char* to, int size) {
        auto* self = static_cast<TlsStream*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        if (size <= 0) return 0;
        const Result result =
            self->socket_.read({reinterpret_cast<std::byte*>(to), static_cast<std::size_t>(size)});
        if (result.size > 0) return static_cast<int>(result.size);
        if (result.error == EAGAIN) {
            BIO_set_retry_read(bio);
            return -1;
        }
        if (result.eof) {
            self->ended_ = true;
            return 0;
        }
        self->socket_error_ = result.error;
        return -1;
    }

    static int write(BIO* bio, const char* from, int size) {
        auto* self = static_cast<TlsStream*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        if (size <= 0) return 0;
        const auto* octets = reinterpret_cast<const std::byte*>(from);
        self->out_.insert(self->out_.end(), octets, octets + size);
        return size;
    }

    static long control(BIO* bio, int command, long, void*) {
        auto* self = static_cast<TlsStream*>(BIO_get_data(bio));
        if (command == BIO_CTRL_FLUSH) return 1;
        if (command == BIO_CTRL_EOF) return self->ended_ ? 1 : 0;
        return 0;
    }
};

TlsStream::TlsStream(Loop& loop, int fd, Ref<const TlsContext> context, std::string peer_name,
                     const std::string& endpoint, TlsSessions& sessions, Ready ready)
    : context_(std::move(context)),
      peer_name_(std::move(peer_name)),
      sessions_(sessions),
      session_key_(session_key(*context_, peer_name_, endpoint)),
      ready_(std::move(ready)),
      socket_(loop, fd, [this](bool readable, bool writable) { on_ready(readable, writable); }),
      ssl_(context_->new_ssl(peer_name_)) {
    BIO* bio = ssl_ && BioCalls::method() != nullptr ? BIO_new(BioCalls::method()) : nullptr;
    if (bio == nullptr) {
        error_ = ENOMEM;
        failure_ = make_error(Status::tls, "cannot set up TLS: " + drain_tls_errors(), Stage::tls);
        return;
    }
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_default_read_buffer_len(ssl_.get(), read_buffer);
    SSL_set_verify(ssl_.get(), SSL_get_verify_mode(ssl_.get()), &on_verified);
    if (const TlsSessions::Session last = sessions_.take(session_key_)) {
        (void)SSL_set_session(ssl_.get(), last.get());
        ERR_clear_error();
    }
}

// The only moment at which OpenSSL shows the certificate that it refuses.
int TlsStream::on_verified(int good, X509_STORE_CTX* store) {
    auto* ssl =
        static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto* self = static_cast<TlsStream*>(BIO_get_data(SSL_get_rbio(ssl)));
    X509* const cert = X509_STORE_CTX_get_current_cert(store);
    if (good == 0 && self->refused_.empty()) {
        const int verdict = X509_STORE_CTX_get_error(store);
        self->refused_ = X509_verify_cert_error_string(verdict);
        if (cert != nullptr) {
            self->refused_ += advice(verdict, cert, self->peer_name_);
        }
    }
    return good;
}

TlsStream::~TlsStream() {
    if (!connected_) return;
    ERR_clear_error();
    keep_session();
    if (error_ == 0) {
        // A word of farewell, if there is room for it at once.
        (void)SSL_shutdown(ssl_.get());
        (void)flush();
    } else {
        // Or else OpenSSL spoils the session, as one that was not ended by the book.
        SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    ERR_clear_error();
}

// Only now: the tickets of TLS 1.3 come some time after the handshake, and the last is the best.
void TlsStream::keep_session() {
    if (session_key_.empty() || failure_) return;
    TlsSessions::Session session(SSL_get1_session(ssl_.get()));
    if (session && SSL_SESSION_is_resumable(session.get()) == 1) {
        sessions_.keep(session_key_, std::move(session));
    }
}

int TlsStream::handshake() {
    if (error_ != 0) return error_;
    if (connected_) return 0;
    ERR_clear_error();
    const int returned = SSL_do_handshake(ssl_.get());
    if (returned == 1) {
        connected_ = true;
        (void)flush();
        rewatch();
        return error_;
    }
    const int error = failed(returned, "the TLS handshake failed");
    (void)flush();  // an alert may be in it
    rewatch();
    return error == 0 ? EAGAIN : error;
}

void TlsStream::watch(bool readable, bool writable) {
    watch_readable_ = readable;
    watch_writable_ = writable;
    rewatch();
}

void TlsStream::rewatch() {
    socket_.watch(watch_readable_, watch_writable_ || unsent());
}

void TlsStream::on_ready(bool readable, bool writable) {
    if (writable && unsent()) {
        (void)flush();
        rewatch();
        writable = watch_writable_ && !unsent();
    }
    // The owner may destroy this from inside the call.
    if (readable || writable || error_ != 0) ready_(readable || error_ != 0, writable);
}

Stream::Result TlsStream::read(std::span<std::byte> into) {
    Result result;
    more_ = false;
    while (error_ == 0 && result.size < into.size()) {
        std::size_t size = 0;
        ERR_clear_error();
        const int returned =
            SSL_read_ex(ssl_.get(), into.data() + result.size, into.size() - result.size, &size);
        if (returned == 1) {
            result.size += size;
            continue;
        }
        if (failed(returned, "TLS failed") == 0) break;
    }
    // What OpenSSL has read and not given, nobody is told of by the descriptor (rule 95).
    more_ = result.size == into.size() || (result.size > 0 && error_ != 0);
    if (unsent()) {
        (void)flush();  // an answer to a KeyUpdate
        rewatch();
    }
    if (result.size > 0) return result;
    if (error_ == EPIPE && ended_) return {.eof = true};
    return {.error = error_ != 0 ? error_ : EAGAIN};
}

Stream::Result TlsStream::write(std::span<const iovec> from) {
    Result result;
    bool blocked = !flush();
    for (const iovec& piece : from) {
        std::size_t at = 0;
        while (!blocked && error_ == 0 && at < piece.iov_len) {
            std::size_t size = 0;
            ERR_clear_error();
            const int returned =
                SSL_write_ex(ssl_.get(), static_cast<const std::byte*>(piece.iov_base) + at,
                             piece.iov_len - at, &size);
            if (returned != 1) {
                blocked = true;
                (void)failed(returned, "TLS failed");
                break;
            }
            at += size;
            if (out_.size() - sent_ >= flush_at) blocked = !flush();
        }
        result.size += at;
        if (blocked || error_ != 0) break;
    }
    if (!blocked) (void)flush();
    rewatch();
    result.error = error_ != 0 ? error_ : result.size == 0 && blocked ? EAGAIN : 0;
    return result;
}

// True when nothing is left.
bool TlsStream::flush() {
    while (unsent() && socket_error_ == 0) {
        const iovec piece{out_.data() + sent_, out_.size() - sent_};
        const Result result = socket_.write({&piece, 1});
        if (result.error == EAGAIN) return false;
        if (result.error != 0) {
            socket_error_ = result.error;
            if (error_ == 0) error_ = result.error;
            return false;
        }
        sent_ += result.size;
    }
    out_.clear();
    sent_ = 0;
    return socket_error_ == 0;
}

int TlsStream::failed(int returned, const char* doing) {
    switch (SSL_get_error(ssl_.get(), returned)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
            return 0;
        case SSL_ERROR_ZERO_RETURN:
            ended_ = true;
            error_ = EPIPE;
            break;
        default:
            if (socket_error_ != 0) {
                error_ = socket_error_;
            } else if (ended_ && ERR_peek_error() == 0) {
                error_ = EPIPE;
            } else {
                error_ = EPROTO;
                failure_ = describe(doing);
            }
    }
    const bool gone = ended_ || error_ == ECONNRESET || error_ == EPIPE;
    if (gone && !connected_ && !failure_) {
        failure_ =
            make_error(Status::tls,
                       "the peer closed the connection during the TLS handshake: is this its "
                       "TLS port?",
                       Stage::tls);
    }
    ERR_clear_error();
    return error_;
}

ErrorRef TlsStream::describe(const char* doing) const {
    std::string message = std::string(doing) + ": ";
    const unsigned long code = ERR_peek_last_error();
    const int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && !refused_.empty()) {
        message += "the broker's certificate was refused: " + refused_;
        return make_error(Status::tls, std::move(message), Stage::tls);
    }
    message += drain_tls_errors();
    switch (reason) {
        case SSL_R_WRONG_VERSION_NUMBER:
        case SSL_R_PACKET_LENGTH_TOO_LONG:
        case SSL_R_HTTP_REQUEST:
            message += ": the peer does not speak TLS on this port";
            break;
        case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        case SSL_R_SSLV3_ALERT_NO_CERTIFICATE:
            message += ": the broker wants a client certificate (options certfile and keyfile)";
            break;
        case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
        case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
        case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
        case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
        case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
            message += ": the broker refused the client certificate";
            break;
        case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
            message +=
                ": the broker has no cipher in common with us, or wants a client certificate "
                "(options certfile and keyfile)";
            break;
        case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        case SSL_R_UNSUPPORTED_PROTOCOL:
            message += ": the broker's versions of TLS are not among ours (1.2 and 1.3)";
            break;
        default:
            break;
    }
    return make_error(Status::tls, std::move(message), Stage::tls);
}

std::vector<StreamFact> TlsStream::facts() const {
    if (!connected_) return {};
    std::vector<StreamFact> facts;
    const TlsSettings& settings = context_->settings();
    facts.push_back({"tls_version", SSL_get_version(ssl_.get())});
    facts.push_back({"tls_cipher", SSL_get_cipher_name(ssl_.get())});
    // The program's own function may have turned it off.
    const bool chain = (SSL_get_verify_mode(ssl_.get()) & SSL_VERIFY_PEER) != 0;
    facts.push_back({"tls_verified", !chain                  ? "nothing"
                                     : !settings.verify_host ? "chain"
                                                             : "chain and name"});
    facts.push_back({"tls_server_name", peer_name_});
    facts.push_back({"tls_session", SSL_session_reused(ssl_.get()) == 1 ? "resumed" : "new"});
    if (X509* const cert = SSL_get0_peer_certificate(ssl_.get())) {
        facts.push_back({"tls_peer_subject", name_text(X509_get_subject_name(cert))});
        facts.push_back({"tls_peer_issuer", name_text(X509_get_issuer_name(cert))});
        facts.push_back({"tls_peer_names", names_text(cert)});
        facts.push_back({"tls_peer_not_after", time_text(X509_get0_notAfter(cert))});
    }
    return facts;
}

}  // namespace haigha::transport
