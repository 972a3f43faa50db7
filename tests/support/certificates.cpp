#include "support/certificates.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace haigha::test {

namespace {

void check(bool good, const char* what) {
    if (good) return;
    throw std::runtime_error(std::string(what) + ": " + ERR_error_string(ERR_get_error(), nullptr));
}

EVP_PKEY* new_key() {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    check(key != nullptr, "EVP_EC_gen");
    return key;
}

template <class Write>
std::string pem_of(Write write) {
    BIO* bio = BIO_new(BIO_s_mem());
    const bool good = write(bio);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    std::string text(data, static_cast<std::size_t>(size));
    BIO_free(bio);
    check(good, "PEM");
    return text;
}

std::string pem_of_cert(X509* cert) {
    return pem_of([&](BIO* bio) { return PEM_write_bio_X509(bio, cert) == 1; });
}
std::string pem_of_key(EVP_PKEY* key) {
    return pem_of([&](BIO* bio) {
        return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr) == 1;
    });
}

void add_extension(X509* cert, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    check(extension != nullptr, value.c_str());
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
}

}  // namespace

Authority::Cert Authority::make(const LeafOptions& options, EVP_PKEY* key, X509* issuer,
                                EVP_PKEY* signer, bool authority) {
    Cert cert(X509_new());
    X509_set_version(cert.get(), 2);
    unsigned char serial[8];
    RAND_bytes(serial, sizeof serial);
    serial[0] &= 0x7F;
    BIGNUM* number = BN_bin2bn(serial, sizeof serial, nullptr);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert.get()));
    BN_free(number);
    X509_gmtime_adj(X509_getm_notBefore(cert.get()), options.begins_s);
    X509_gmtime_adj(X509_getm_notAfter(cert.get()), options.ends_s);
    X509_set_pubkey(cert.get(), key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert.get()), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(options.common_name.c_str()),
                               -1, -1, 0);
    X509* const signed_by = issuer != nullptr ? issuer : cert.get();
    X509_set_issuer_name(cert.get(), X509_get_subject_name(signed_by));
    if (authority) {
        add_extension(cert.get(), signed_by, NID_basic_constraints, "critical,CA:TRUE");
        add_extension(cert.get(), signed_by, NID_key_usage, "critical,keyCertSign,cRLSign");
    } else {
        add_extension(cert.get(), signed_by, NID_basic_constraints, "CA:FALSE");
        add_extension(cert.get(), signed_by, NID_ext_key_usage,
                      options.for_server ? "serverAuth" : "clientAuth");
    }
    std::string names;
    for (const std::string& name : options.names)
        names += (names.empty() ? "" : ",") + name;
    if (!names.empty()) add_extension(cert.get(), signed_by, NID_subject_alt_name, names);
    check(X509_sign(cert.get(), signer, EVP_sha256()) > 0, "X509_sign");
    return cert;
}

Authority::Authority(const std::string& common_name) : key_(new_key()) {
    LeafOptions options;
    options.common_name = common_name;
    cert_ = make(options, key_.get(), nullptr, key_.get(), true);
}

std::string Authority::pem() const {
    return pem_of_cert(cert_.get());
}

Identity Authority::issue(const LeafOptions& options) const {
    const Key key(new_key());
    const Cert cert = make(options, key.get(), cert_.get(), key_.get(), false);
    return {pem_of_cert(cert.get()), pem_of_key(key.get())};
}

Identity Authority::self_signed(const LeafOptions& options) {
    const Key key(new_key());
    const Cert cert = make(options, key.get(), nullptr, key.get(), false);
    return {pem_of_cert(cert.get()), pem_of_key(key.get())};
}

std::string Authority::encrypted_key(const std::string& key_pem, const std::string& password) {
    BIO* in = BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size()));
    const Key key(PEM_read_bio_PrivateKey(in, nullptr, nullptr, nullptr));
    BIO_free(in);
    check(key != nullptr, "PEM_read_bio_PrivateKey");
    return pem_of([&](BIO* bio) {
        return PEM_write_bio_PKCS8PrivateKey(bio, key.get(), EVP_aes_256_cbc(), password.data(),
                                             static_cast<int>(password.size()), nullptr,
                                             nullptr) == 1;
    });
}

}  // namespace haigha::test
