// Certificates for tests of TLS, made as they are needed: authorities, and what they sign.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

namespace haigha::test {

struct Identity {
    std::string cert_pem;
    std::string key_pem;
};

struct LeafOptions {
    std::string common_name = "leaf";
    std::vector<std::string> names;  // of the subject's alternatives: "DNS:localhost", "IP:::1"
    long begins_s = -3600;           // from now
    long ends_s = 86'400;
    bool for_server = true;  // otherwise for a client
};

class Authority {
  public:
    explicit Authority(const std::string& common_name);
    std::string pem() const;
    Identity issue(const LeafOptions& options) const;

    // Signed by itself.
    static Identity self_signed(const LeafOptions& options);
    // The key once more, encrypted with a password.
    static std::string encrypted_key(const std::string& key_pem, const std::string& password);

  private:
    struct Free {
        void operator()(X509* cert) const { X509_free(cert); }
        void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    };
    using Cert = std::unique_ptr<X509, Free>;
    using Key = std::unique_ptr<EVP_PKEY, Free>;
    static Cert make(const LeafOptions& options, EVP_PKEY* key, X509* issuer, EVP_PKEY* signer,
                     bool authority);

    Key key_;
    Cert cert_;
};

}  // namespace haigha::test
