// TLS settings, checked and made into what connections are secured with.
#pragma once

#include <openssl/types.h>

#include <functional>
#include <memory>
#include <string>

#include "base/counted.h"
#include "base/error.h"
#include "base/ref.h"
#include "transport/tls_trust.h"

namespace haigha::transport {

struct TlsSettings {
    // Each from a file, or from memory as PEM; empty: none. Without a CA the system's are trusted.
    std::string ca_file;
    std::string ca_pem;
    std::string cert_file;
    std::string cert_pem;
    std::string key_file;
    std::string key_pem;
    std::string key_password;
    // In place of key_password, when the key is encrypted. False: there is none.
    std::function<bool(std::string* password)> ask_key_password;
    // The program's own settings, after all of these. False: there is to be no connection.
    std::function<bool(SSL_CTX* context)> prepare;
    bool verify_peer = true;  // the chain, up to a trusted CA
    bool verify_host = true;  // the name or address in the certificate
    int depth = 10;           // of the chain
    bool send_name = true;    // as SNI, when it is a DNS name
    bool min_version_13 = false;
    bool max_version_12 = false;
    std::string ciphers;       // of TLS 1.2, in OpenSSL's words; empty: its defaults
    std::string ciphersuites;  // of TLS 1.3
    std::string groups;        // for the key exchange
};

// Immutable once made, so any thread may use it.
class TlsContext : public Counted<TlsContext> {
  public:
    // Reads the files; the system's authorities, where they are trusted, from `trust`. Null with
    // *error set (status tls, or argument for a setting that OpenSSL does not take) when something
    // is missing, does not decode or does not fit together.
    static Ref<const TlsContext> create(TlsSettings settings, TlsTrust& trust, ErrorRef* error);

    // Without the key and its password, which are not kept.
    const TlsSettings& settings() const { return settings_; }
    // The same for contexts that believe the same and show the same certificate. Files count by
    // their names and the moment they were last written. Empty when nobody can know.
    const std::string& fingerprint() const { return fingerprint_; }

    struct Free {
        void operator()(SSL* ssl) const;
        void operator()(SSL_CTX* context) const;
    };
    using SslPtr = std::unique_ptr<SSL, Free>;
    // For one connection to whom the certificate has to be for, a DNS name or an IP address; null
    // when memory is short.
    SslPtr new_ssl(const std::string& peer_name) const;

  private:
    friend class Counted<TlsContext>;
    TlsContext() = default;
    ~TlsContext() = default;

    TlsSettings settings_;
    std::string fingerprint_;
    std::unique_ptr<SSL_CTX, Free> context_;
};

// What OpenSSL's error queue holds, oldest first, and empties it: "bad decrypt". Never empty.
std::string drain_tls_errors();

}  // namespace haigha::transport
