#include "transport/tls_context.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/wipe.h"

namespace haigha::transport {

namespace {

struct FreeBio {
    void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeCert {
    void operator()(X509* cert) const { X509_free(cert); }
};
struct FreeKey {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;
using Cert = std::unique_ptr<X509, FreeCert>;
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;

// What is read, and whether a password was asked for on the way.
struct Source {
    Bio bio;
    std::string name;                       // for people: "the file /etc/x.pem", "cert_pem"
    const TlsSettings* settings = nullptr;  // of the private key: who knows its password
    bool password_asked = false;
    bool password_given = false;
    std::string password;

    Source() = default;
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    ~Source() { wipe(password); }
};

// Without it OpenSSL would ask on the terminal.
int give_password(char* buffer, int size, int, void* to) {
    auto* source = static_cast<Source*>(to);
    const TlsSettings* settings = source->settings;
    // OpenSSL may want it several times; a person is asked once.
    if (settings != nullptr && !source->password_asked) {
        source->password = settings->key_password;
        source->password_given = settings->ask_key_password
                                     ? settings->ask_key_password(&source->password)
                                     : !source->password.empty();
    }
    source->password_asked = true;
    const std::string& password = source->password;
    if (!source->password_given || password.size() > static_cast<std::size_t>(size)) return -1;
    std::copy(password.begin(), password.end(), buffer);
    return static_cast<int>(password.size());
}

ErrorRef tls_error(std::string message) {
    return make_error(Status::tls, std::move(message), Stage::tls);
}

ErrorRef refuse(const std::string& option, const std::string& value) {
    return make_error(Status::argument, "the option " + option +
                                            " has a value that OpenSSL does not take, \"" +
                                            value.substr(0, 128) + "\": " + drain_tls_errors());
}

ErrorRef open_source(const std::string& file, const std::string& pem, const char* pem_name,
                     Source* source) {
    if (!pem.empty()) {
        source->name = std::string("the option ") + pem_name;
        source->bio.reset(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    } else {
        source->name = "the file " + file;
        source->bio.reset(BIO_new_file(file.c_str(), "rb"));
    }
    if (source->bio) return nullptr;
    return tls_error("cannot open " + source->name + ": " + drain_tls_errors());
}

// The end of a PEM file is an error of OpenSSL's as well.
bool at_the_end() {
    const unsigned long code = ERR_peek_last_error();
    const bool end =
        ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
    if (end) ERR_clear_error();
    return end;
}

ErrorRef use_trusted(SSL_CTX* context, const TlsSettings& settings, TlsTrust& shared) {
    if (settings.ca_file.empty() && settings.ca_pem.empty()) {
        // What the program's function may change is not shared.
        const TlsTrust::Store store = settings.prepare ? TlsTrust::read_system() : shared.system();
        if (store) {
            SSL_CTX_set1_cert_store(context, store.get());
            return nullptr;
        }
        return tls_error("cannot use the system's trusted certificates: " + drain_tls_errors());
    }
    Source source;
    if (ErrorRef error = open_source(settings.ca_file, settings.ca_pem, "cacert_pem", &source)) {
        return error;
    }
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    int count = 0;
    while (const Cert cert{
        PEM_read_bio_X509_AUX(source.bio.get(), nullptr, &give_password, &source)}) {
        if (X509_STORE_add_cert(store, cert.get()) != 1) {
            return tls_error("cannot trust a certificate of " + source.name + ": " +
                             drain_tls_errors());
        }
        ++count;
    }
    if (count > 0 && at_the_end()) return nullptr;
    return tls_error("cannot read the trusted certificates in " + source.name + ": " +
                     drain_tls_errors());
}

// The certificate, followed by those that lead to its CA.
ErrorRef use_certificate(SSL_CTX* context, const TlsSettings& settings) {
    Source source;
    if (ErrorRef error = open_source(settings.cert_file, settings.cert_pem, "cert_pem", &source)) {
        return error;
    }
    const Cert own{PEM_read_bio_X509_AUX(source.bio.get(), nullptr, &give_password, &source)};
    if (!own || SSL_CTX_use_certificate(context, own.get()) != 1) {
        return tls_error("cannot use the certificate in " + source.name + ": " +
                         drain_tls_errors());
    }
    while (Cert next{PEM_read_bio_X509(source.bio.get(), nullptr, &give_password, &source)}) {
        if (SSL_CTX_add0_chain_cert(context, next.get()) != 1) {
            return tls_error("cannot use the chain in " + source.name + ": " + drain_tls_errors());
        }
        (void)next.release();
    }
    if (at_the_end()) return nullptr;
    return tls_error("cannot read the chain in " + source.name + ": " + drain_tls_errors());
}

ErrorRef use_key(SSL_CTX* context, const TlsSettings& settings) {
    Source source;
    // One file often holds both.
    const bool own = !settings.key_file.empty() || !settings.key_pem.empty();
    if (ErrorRef error =
            open_source(own ? settings.key_file : settings.cert_file,
                        own ? settings.key_pem : settings.cert_pem, "key_pem", &source)) {
        return error;
    }
    source.settings = &settings;
    const Key key{PEM_read_bio_PrivateKey(source.bio.get(), nullptr, &give_password, &source)};
    if (!key) {
        const std::string reason = drain_tls_errors();
        if (source.password_asked && !source.password_given) {
            return tls_error("the private key in " + source.name + " is encrypted, and " +
                             (settings.ask_key_password ? "the program gave no password"
                                                        : "the option key_password is not set"));
        }
        return tls_error("cannot read the private key in " + source.name + ": " + reason +
                         (source.password_asked ? " (is key_password the right one?)" : ""));
    }
    if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        return tls_error("the private key in " + source.name +
                         " does not belong to the certificate: " + drain_tls_errors());
    }
    return nullptr;
}

// An IPv6 address without its zone, which is of this machine and in no certificate.
std::string without_zone(const std::string& name) {
    return name.find(':') == std::string::npos ? name : name.substr(0, name.find('%'));
}

bool is_address(const std::string& name) {
    in6_addr bytes{};
    return ::inet_pton(AF_INET, name.c_str(), &bytes) == 1 ||
           ::inet_pton(AF_INET6, name.c_str(), &bytes) == 1;
}

// Empty when it cannot be had, which is no fingerprint at all.
std::string fingerprint_of(const TlsSettings& settings) {
    std::string all;
    const auto add = [&](const std::string& part) {
        all += std::to_string(part.size()) + ':' + part;
    };
    for (const std::string* file : {&settings.ca_file, &settings.cert_file}) {
        add(*file);
        struct stat facts {};
        if (file->empty() || ::stat(file->c_str(), &facts) != 0) continue;
        for (const auto number :
             {static_cast<std::int64_t>(facts.st_mtim.tv_sec),
              static_cast<std::int64_t>(facts.st_mtim.tv_nsec),
              static_cast<std::int64_t>(facts.st_size), static_cast<std::int64_t>(facts.st_ino)}) {
            add(std::to_string(number));
        }
    }
    for (const std::string* text : {&settings.ca_pem, &settings.cert_pem, &settings.ciphers,
                                    &settings.ciphersuites, &settings.groups}) {
        add(*text);
    }
    for (const bool flag : {settings.verify_peer, settings.verify_host, settings.send_name,
                            settings.min_version_13, settings.max_version_12}) {
        add(flag ? "1" : "0");
    }
    add(std::to_string(settings.depth));
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (EVP_Digest(all.data(), all.size(), digest, &size, EVP_sha256(), nullptr) != 1) return {};
    return {reinterpret_cast<const char*>(digest), size};
}

}  // namespace

std::string drain_tls_errors() {
    std::string text;
    while (const unsigned long code = ERR_get_error()) {
        const char* reason = ERR_reason_error_string(code);
        if (!text.empty()) text += "; ";
        if (reason != nullptr) {
            text += reason;
        } else {
            text += "error " + std::to_string(code);
        }
    }
    return text.empty() ? "OpenSSL does not say why" : text;
}

void TlsContext::Free::operator()(SSL* ssl) const {
    SSL_free(ssl);
}
void TlsContext::Free::operator()(SSL_CTX* context) const {
    SSL_CTX_free(context);
}

Ref<const TlsContext> TlsContext::create(TlsSettings settings, TlsTrust& trust, ErrorRef* error) {
    // The host program may use OpenSSL too: what it left there is not ours, and nothing of ours
    // stays (rule 96).
    ERR_clear_error();
    const Ref<TlsContext> made = Ref<TlsContext>::adopt(new TlsContext);
    made->settings_ = std::move(settings);
    const TlsSettings& wanted = made->settings_;
    made->context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX* const context = made->context_.get();
    if (context == nullptr) {
        *error = tls_error("cannot set up TLS: " + drain_tls_errors());
        return nullptr;
    }
    SSL_CTX_set_min_proto_version(context, wanted.min_version_13 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(context, wanted.max_version_12 ? TLS1_2_VERSION : TLS1_3_VERSION);
    // An end without close_notify is told as the end that it is: AMQP has a close of its own.
    SSL_CTX_set_options(
        context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_verify(context, wanted.verify_peer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_verify_depth(context, wanted.depth);

    *error = [&]() -> ErrorRef {
        if (wanted.min_version_13 && wanted.max_version_12) {
            return make_error(Status::argument, "tls_min_version is later than tls_max_version");
        }
        if (!wanted.ciphers.empty() &&
            SSL_CTX_set_cipher_list(context, wanted.ciphers.c_str()) != 1) {
            return refuse("tls_ciphers", wanted.ciphers);
        }
        if (!wanted.ciphersuites.empty() &&
            SSL_CTX_set_ciphersuites(context, wanted.ciphersuites.c_str()) != 1) {
            return refuse("tls_ciphersuites", wanted.ciphersuites);
        }
        if (!wanted.groups.empty() &&
            SSL_CTX_set1_groups_list(context, wanted.groups.c_str()) != 1) {
            return refuse("tls_groups", wanted.groups);
        }
        if (ErrorRef failed = use_trusted(context, wanted, trust)) return failed;
        const bool certificate = !wanted.cert_file.empty() || !wanted.cert_pem.empty();
        if (!certificate && (!wanted.key_file.empty() || !wanted.key_pem.empty())) {
            return make_error(Status::argument, "there is a private key without a certificate");
        }
        if (certificate) {
            if (ErrorRef failed = use_certificate(context, wanted)) return failed;
            if (ErrorRef failed = use_key(context, wanted)) return failed;
        }
        if (wanted.prepare && !wanted.prepare(context)) {
            return tls_error("the program's function for TLS refused: " + drain_tls_errors());
        }
        return nullptr;
    }();
    // What the program did to it is in no setting.
    if (!wanted.prepare) made->fingerprint_ = fingerprint_of(wanted);
    ERR_clear_error();
    wipe(made->settings_.key_pem);
    wipe(made->settings_.key_password);
    made->settings_.ask_key_password = nullptr;
    made->settings_.prepare = nullptr;
    return *error ? nullptr : Ref<const TlsContext>(made.get());
}

TlsContext::SslPtr TlsContext::new_ssl(const std::string& peer_name) const {
    SslPtr ssl(SSL_new(context_.get()));
    if (!ssl) return nullptr;
    SSL_set_connect_state(ssl.get());
    const std::string name = without_zone(peer_name);
    const bool address = is_address(name);
    // RFC 6066 forbids addresses there (rule 89).
    if (settings_.send_name && !address && !name.empty()) {
        SSL_set_tlsext_host_name(ssl.get(), name.c_str());
    }
    if (settings_.verify_peer && settings_.verify_host) {
        if (name.empty()) return nullptr;  // OpenSSL takes it for "any"
        X509_VERIFY_PARAM* param = SSL_get0_param(ssl.get());
        // A name in the subject is no name of a server any more (RFC 9525).
        X509_VERIFY_PARAM_set_hostflags(
            param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
        const int set = address ? X509_VERIFY_PARAM_set1_ip_asc(param, name.c_str())
                                : X509_VERIFY_PARAM_set1_host(param, name.data(), name.size());
        if (set != 1) return nullptr;
    }
    return ssl;
}

}  // namespace haigha::transport
