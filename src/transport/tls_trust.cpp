#include "transport/tls_trust.h"

#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <sys/stat.h>

#include <cstdint>
#include <cstdlib>
#include <utility>

namespace haigha::transport {

namespace {

// Where OpenSSL looks, as it decides it itself, and what was last written there.
std::string whereabouts() {
    std::string all;
    const auto add = [&](const char* variable, const char* otherwise) {
        const char* const given = ::secure_getenv(variable);
        const std::string place = given != nullptr ? given : otherwise;
        struct stat facts {};
        all += place + '\n';
        if (::stat(place.c_str(), &facts) != 0) return;
        for (const auto number :
             {static_cast<std::int64_t>(facts.st_mtim.tv_sec),
              static_cast<std::int64_t>(facts.st_mtim.tv_nsec),
              static_cast<std::int64_t>(facts.st_size), static_cast<std::int64_t>(facts.st_ino)}) {
            all += std::to_string(number) + '\n';
        }
    };
    add(X509_get_default_cert_file_env(), X509_get_default_cert_file());
    add(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
    return all;
}

}  // namespace

void TlsTrust::Free::operator()(X509_STORE* store) const {
    X509_STORE_free(store);
}

TlsTrust::Store TlsTrust::read_system() {
    Store store(X509_STORE_new());
    if (!store || X509_STORE_set_default_paths(store.get()) != 1) return nullptr;
    return store;
}

TlsTrust::Store TlsTrust::system() {
    const std::string from = whereabouts();
    const std::lock_guard lock(mutex_);
    if (!store_ || from != read_from_) {
        Store fresh = read_system();
        if (!fresh) return nullptr;
        store_ = std::move(fresh);
        read_from_ = from;
    }
    X509_STORE_up_ref(store_.get());
    return Store(store_.get());
}

}  // namespace haigha::transport
